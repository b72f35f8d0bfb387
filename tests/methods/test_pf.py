import numpy as np
import pytest
import torch
from scipy.special import logit, softmax

from models import tiny
from overopt.engines.method.particles import OpenedParticles
from overopt.engines.particles.filter import ParticleFilter
from overopt.engines.particles.likelihood import ratios
from overopt.methods.contract.particles import Grown
from overopt.methods.selection import pf
from overopt.methods.selection.pf import Config, potential
from overopt.models.enumeration import enumerate_logps
from overopt.stats.arrays import Floats
from overopt.stats.pools import soft_best_of_n
from overopt.stats.pools.listed import kl_listed
from overopt.worlds.tokens import EOS, Tokens


def chances(score_RN: Floats, temperature: float) -> Floats:
    """Of being drawn, for each particle."""
    found: Floats = softmax(potential(Config(), Grown(score_RN, 1, 3), temperature), axis=1)
    return found


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(1.0, [0.0476, 0.1905, 0.7619]), (2.0, [0.1429, 0.2857, 0.5714])],
)
def test_particles_are_drawn_by_their_odds(temperature: float, expected: list[float]) -> None:
    # q (.2, .5, .8): odds 1/4, 1, 4 of 5.25; their roots 1/2, 1, 2 of 3.5
    score_RN = logit(np.array([[0.2, 0.5, 0.8]]))
    assert chances(score_RN, temperature)[0] == pytest.approx(expected, abs=5e-5)


def test_equal_scores_and_heat_draw_evenly_and_cold_takes_the_best() -> None:
    assert chances(np.full((1, 4), 1.3), 0.1)[0] == pytest.approx([0.25] * 4)
    score_RN = np.array([[0.0, 1.0, 2.0, -1.0]])
    assert chances(score_RN, 1e9)[0] == pytest.approx([0.25] * 4)
    assert chances(score_RN, 0.02)[0] == pytest.approx([0, 0, 1, 0])
    with pytest.raises(ValueError, match="above 0"):
        potential(Config(), Grown(score_RN, 1, 3), 0.0)


def test_many_particles_in_one_step_are_the_initial_policy_times_the_odds() -> None:
    # World B with q of sigmoid(r): ref (.5, .3, .2) times e^r, (.1790, .2919, .5291)
    drawn = np.random.default_rng(0).choice(3, size=(1, 200_000), p=[0.5, 0.3, 0.2])
    chance_RN = chances(drawn.astype(np.float64), 1.0)
    law = np.bincount(drawn[0], weights=chance_RN[0])
    assert law == pytest.approx([0.1790, 0.2919, 0.5291], abs=0.005)


def test_in_one_step_its_answers_and_their_kl_are_those_of_soft_best_of_n() -> None:
    policy, listed = tiny.policy(0), tiny.all_responses()
    prompt = tiny.prompts().take(np.array([0]))

    def reward(prompts: Tokens, responses: Tokens) -> Floats:
        return np.asarray((responses.ids_NT == 4).sum(1), np.float64)

    reference_R = np.exp(enumerate_logps(policy, prompt, listed))
    expected_R = soft_best_of_n.policy(reward(prompt, listed)[None], reference_R, 4, 0.5)
    kl = float(kl_listed(expected_R, reference_R)[0])
    method = OpenedParticles(pf, Config(particles=4, steps=1))
    runner = ParticleFilter(method, policy, reward, tiny.RESPONSE_TOKENS, (EOS,))
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    asked = prompt.take(np.zeros(1500, np.int64))
    answers = runner.run(asked, 0.5, generator, rng)
    share_R = tiny.count(answers.responses, listed) / 1500
    error_R = np.sqrt(expected_R[0] * (1 - expected_R[0]) / 1500)
    assert (np.abs(share_R - expected_R[0]) < 4.5 * error_R + 1e-6).all()
    terms_R = ratios(runner, asked, answers, 0.5, 8, generator, rng).kl_terms()
    assert terms_R.mean() == pytest.approx(kl, abs=4 * terms_R.std() / 1500**0.5 + 0.01)
