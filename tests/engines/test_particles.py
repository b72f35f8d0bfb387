"""A particle filter against every pair of particles that there can be, and against soft bests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from models import tiny
from overopt.catalog import systems
from overopt.engines.method.particles import OpenedParticles
from overopt.engines.particles.filter import Answers, ParticleFilter, append
from overopt.engines.particles.likelihood import Ratios, ratios, upper_bounds
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError
from overopt.execution.code.modules import load_module
from overopt.methods.contract.particles import Grown
from overopt.models.enumeration import enumerate_logps
from overopt.stats.arrays import Floats, Ints
from overopt.stats.pools import soft_best_of_n
from overopt.stats.pools.listed import kl_listed
from overopt.worlds.tokens import EOS, Tokens
from own import SIFTED

POLICY = tiny.policy(0)
LISTED = tiny.all_responses()
PROMPT = tiny.prompts().take(np.array([0]))
REFERENCE_R = np.exp(enumerate_logps(POLICY, PROMPT, LISTED)[0])


def reward(prompts: Tokens, responses: Tokens) -> Floats:
    """Reds less blues, and something for a blue that ends: partial answers mislead."""
    red, blue = (((responses.ids_NT == word) & responses.mask_NT).sum(1) for word in (4, 5))
    late = np.array([5 in row[2:n] for row, n in zip(*responses, strict=True)])
    return np.asarray(0.7 * red - 0.5 * blue + 1.5 * late, np.float64)


def annealed(config: object, grown: Grown, knob: float) -> Floats:
    """Scores over a temperature, which is higher at the first step and where one particle leads."""
    plain_RN = grown.score_RN / knob
    if grown.step == grown.steps:
        return plain_RN
    chance_RN = softmax(plain_RN, axis=1)
    effective: Floats = plain_RN * (1 / (chance_RN**2).sum(axis=1, keepdims=True) - 0.9)
    return effective


def runner(n: int, blocks: int, potential: Any = None) -> ParticleFilter:
    module: Any = load_module(str(SIFTED))
    functions: Any = module
    if potential is not None:
        functions = SimpleNamespace(__name__="annealed", potential=potential)
    method = OpenedParticles(functions, module.Config(particles=n, steps=blocks))
    return ParticleFilter(method, POLICY, reward, tiny.RESPONSE_TOKENS, (EOS,))


def answer(run: ParticleFilter, runs: int, temperature: float, seed: int = 0) -> Answers:
    generator = torch.Generator().manual_seed(seed)
    asked = PROMPT.take(np.zeros(runs, np.int64))
    return run.run(asked, temperature, generator, np.random.default_rng(seed))


def found(run: ParticleFilter, answers: Answers, temperature: float, lineages: int) -> Ratios:
    generator, rng = torch.Generator().manual_seed(9), np.random.default_rng(9)
    asked = PROMPT.take(np.zeros(answers.responses.rows(), np.int64))
    return ratios(run, asked, answers, temperature, lineages, generator, rng)


def number(responses: Tokens) -> Ints:
    """The number of each response in the list."""
    place = {tuple(row[:n]): r for r, (row, n) in enumerate(zip(*LISTED, strict=True))}
    return np.array([place[tuple(row[:n])] for row, n in zip(*responses, strict=True)])


def exact_policy(temperature: float, potential: Any = None) -> Floats:
    """The law of two particles and two steps (two tokens, then the third): all pairs, summed."""

    def chances(one: float, other: float) -> Floats:
        score_RN = np.array([[one, other]])
        if potential is None:
            return np.asarray(softmax(score_RN[0] / temperature))
        return np.asarray(softmax(potential(None, Grown(score_RN, 1, 2), temperature)[0]))

    heads, head_R = np.unique(LISTED.ids_NT[:, :2], axis=0, return_inverse=True)
    head_R = head_R.ravel()
    mass_H = np.bincount(head_R, weights=REFERENCE_R)
    score_H = reward(PROMPT, Tokens.from_padded(heads))
    score_R = reward(PROMPT, LISTED) / temperature
    then_HR = (head_R == np.arange(len(heads))[:, None]) * REFERENCE_R / mass_H[:, None]
    # both ancestors of the second step are drawn from the first pair by its weights
    parents_HH = np.zeros((len(heads), len(heads)))
    for i in range(len(heads)):
        for j in range(len(heads)):
            weight = chances(score_H[i], score_H[j])
            pair = mass_H[i] * mass_H[j]
            for a, of_a in ((i, weight[0]), (j, weight[1])):
                for b, of_b in ((i, weight[0]), (j, weight[1])):
                    parents_HH[a, b] += pair * of_a * of_b
    pair_RR = then_HR.T @ parents_HH @ then_HR
    first_RR = 1 / (1 + np.exp(score_R[None, :] - score_R[:, None]))
    law_R: Floats = (pair_RR * first_RR).sum(1) + (pair_RR * (1 - first_RR)).sum(0)
    return law_R


def test_two_particles_and_two_steps_have_the_enumerated_law() -> None:
    temperature, runs = 0.6, 20_000
    expected_R = exact_policy(temperature)
    assert expected_R.sum() == pytest.approx(1.0)
    answers = answer(runner(2, 2), runs, temperature)
    share_R = tiny.count(answers.responses, LISTED) / runs
    error_R = np.sqrt(expected_R * (1 - expected_R) / runs)
    assert (np.abs(share_R - expected_R) < 4.5 * error_R + 1e-6).all()
    # which is far from both the initial policy and soft best-of-two
    one = soft_best_of_n.policy(reward(PROMPT, LISTED)[None], REFERENCE_R[None], 2, temperature)
    for other_R in (REFERENCE_R, one[0]):
        assert (np.abs(share_R - other_R) > 6 * error_R).any()


def test_log_ratios_are_those_of_the_enumerated_law() -> None:
    temperature = 0.6
    run, policy_R = runner(2, 2), exact_policy(temperature)
    answers = answer(run, 60, temperature)
    log_R, inverse_R = found(run, answers, temperature, 400)
    expected = np.log(policy_R / REFERENCE_R)[number(answers.responses)]
    assert log_R == pytest.approx(expected, abs=0.15)
    assert (log_R - expected).mean() == pytest.approx(0.0, abs=0.02)
    assert inverse_R == pytest.approx(np.exp(-expected), rel=0.15)


def test_weights_may_depend_on_all_particles() -> None:
    temperature, run = 0.3, runner(2, 2, annealed)
    policy_R = exact_policy(temperature, annealed)
    plain_R = exact_policy(temperature)
    answers = answer(run, 8000, temperature)
    share_R = tiny.count(answers.responses, LISTED) / 8000
    error_R = np.sqrt(policy_R * (1 - policy_R) / 8000)
    assert (np.abs(share_R - policy_R) < 4.5 * error_R + 1e-6).all()
    assert (np.abs(share_R - plain_R) > 6 * error_R).any()
    some = Answers(answers.responses.take(np.arange(60)), answers.log_share_R[:60])
    log_R = found(run, some, temperature, 400).log_R
    expected = np.log(policy_R / REFERENCE_R)[number(some.responses)]
    assert (log_R - expected).mean() == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_their_mean_is_the_kl_and_the_bound_lies_above(temperature: float) -> None:
    policy_R = exact_policy(temperature)
    kl = float(kl_listed(policy_R[None], REFERENCE_R[None])[0])
    run = runner(2, 2)
    answers = answer(run, 1500, temperature)
    told = found(run, answers, temperature, 8)
    terms_R = told.kl_terms()
    assert terms_R.mean() == pytest.approx(kl, abs=3.5 * terms_R.std() / 1500**0.5 + 0.01)
    assert told.log_R.mean() == pytest.approx(kl, abs=3.5 * told.log_R.std() / 1500**0.5 + 0.01)
    if temperature == 1.0:
        assert terms_R.std() < 0.6 * told.log_R.std()
    bound = upper_bounds(answers)
    assert bound.mean() > kl
    assert bound.mean() < kl + 0.6


@pytest.mark.parametrize(("n", "temperature"), [(4, 1.0), (8, 0.4)])
def test_one_step_is_soft_best_of_n(n: int, temperature: float) -> None:
    expected = soft_best_of_n.policy(
        reward(PROMPT, LISTED)[None], REFERENCE_R[None], n, temperature
    )
    kl = float(kl_listed(expected, REFERENCE_R[None])[0])
    run, runs = runner(n, 1), 4000
    answers = answer(run, runs, temperature)
    share_R = tiny.count(answers.responses, LISTED) / runs
    error_R = np.sqrt(expected[0] * (1 - expected[0]) / runs)
    assert (np.abs(share_R - expected[0]) < 4.5 * error_R + 1e-6).all()
    some = Answers(answers.responses.take(np.arange(500)), answers.log_share_R[:500])
    terms_R = found(run, some, temperature, 12).kl_terms()
    assert terms_R.mean() == pytest.approx(kl, abs=3.5 * terms_R.std() / 500**0.5 + 0.01)


def test_a_cold_filter_has_no_kl_below_what_it_has() -> None:
    """All fresh runs may drop an answer that its own run has kept."""
    expected = soft_best_of_n.policy(reward(PROMPT, LISTED)[None], REFERENCE_R[None], 16, 0.01)
    kl = float(kl_listed(expected, REFERENCE_R[None])[0])
    run = runner(16, 1)
    answers = answer(run, 400, 0.01)
    for lineages in (1, 8):
        log_R = found(run, answers, 0.01, lineages).log_R
        assert log_R.min() > -3.0
        assert log_R.mean() == pytest.approx(kl, abs=4 * log_R.std() / 20 + 0.1)


def test_terms_near_the_initial_policy_vary_little() -> None:
    policy = np.array([0.55, 0.3, 0.15])
    log_R = np.log(policy / np.array([0.5, 0.3, 0.2]))[np.repeat(np.arange(3), [55, 30, 15])]
    terms_R = Ratios(log_R, np.exp(-log_R)).kl_terms()
    # 1 / r - 1 has the mean 0 on these hundred answers, so that c does not matter
    assert terms_R.mean() == pytest.approx(log_R.mean())
    assert terms_R.std() < 0.1 * log_R.std()
    assert Ratios(np.zeros(4), np.ones(4)).kl_terms().tolist() == [0.0] * 4
    # a tail: the mean of 1 / r on these answers says nothing
    tailed = Ratios(np.array([2.0, 2.0, 2.0, -1.0]), np.exp([-2.0, -2.0, -2.0, 1.0]))
    assert tailed.kl_terms().tolist() == tailed.log_R.tolist()
    # nearly one and the same, and far from 1: a cold filter, of which every answer has its own run
    cold = np.log(np.linspace(28.0, 29.0, 64))
    assert Ratios(cold, np.exp(-cold)).kl_terms().tolist() == cold.tolist()


def test_limits() -> None:
    one = runner(1, 2)
    answers = answer(one, 50, 0.1)
    assert found(one, answers, 0.1, 2).log_R == pytest.approx(np.zeros(50), abs=1e-9)
    hot = runner(4, 3)
    answers = answer(hot, 50, 1e9)
    assert found(hot, answers, 1e9, 2).log_R == pytest.approx(np.zeros(50), abs=1e-6)
    # many particles: the initial policy times exp of the scores at both steps
    temperature = 1.0
    head_R = Tokens.from_padded(LISTED.ids_NT[:, :2])
    score_R = reward(PROMPT, head_R) + reward(PROMPT, LISTED)
    target_R = REFERENCE_R * np.exp(score_R / temperature)
    target_R /= target_R.sum()
    many = answer(runner(256, 2), 400, temperature)
    score = score_R[number(many.responses)]
    assert score.mean() == pytest.approx((target_R * score_R).sum(), abs=0.25)


def test_what_is_kept_stays() -> None:
    run = runner(3, 3)
    kept = LISTED.take(np.array([0, 5, 30, 84]))
    asked = PROMPT.take(np.zeros(4, np.int64))
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    again = run.run(asked, 0.2, generator, rng, kept)
    np.testing.assert_array_equal(number(again.responses), [0, 5, 30, 84])
    # alone, an answer has all of the weight; among three, a share of at most 1 at each step
    alone = runner(1, 3).run(asked, 0.2, generator, rng, kept)
    assert alone.log_share_R == pytest.approx(np.zeros(4), abs=1e-12)
    assert (again.log_share_R < 3 * np.log(3)).all()


def test_prompts_go_on_with_what_was_written() -> None:
    joined = append(tiny.prompts(), np.array([[4, 5]] * 4, np.int32))
    for b in range(4):
        prompt = tiny.prompts().ids_NT[b, : tiny.prompts().length_N[b]].tolist()
        assert joined.ids_NT[b, : joined.length_N[b]].tolist() == [*prompt, 4, 5]


@pytest.mark.parametrize(
    ("there", "put", "said"),
    [
        ("particles: int = param(4", "particles: int = param(0", "a whole number from 1"),
        ("    steps: int = param(2", "    blocks: int = param(2", "the field steps of its Config"),
        (
            "grown: Grown, knob: float",
            "grown: Grown",
            r"potential is called as potential\(config, grown, k",
        ),
    ],
)
def test_a_wrong_file_is_refused(there: str, put: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SIFTED.read_text().replace(there, put))
    with pytest.raises(UserError, match=said):
        systems.method(str(path))


@pytest.mark.parametrize(
    ("put", "said"),
    [
        ("grown.score_RN.cumsum(1)", "depends on the order of the particles"),
        ("grown.score_RN.mean(1)", r"potential returns shape \(3,\)"),
        ("grown.score_RN / knob * float('inf')", "potential returns NaN or infinity"),
    ],
)
def test_a_rehearsal_tries_the_potential(put: str, said: str, tmp_path: Path) -> None:
    rehearse(systems.method(str(SIFTED)))
    path = tmp_path / "mine.py"
    path.write_text(SIFTED.read_text().replace("grown.score_RN / knob", put))
    with pytest.raises(UserError, match=said):
        rehearse(systems.method(str(path)))
