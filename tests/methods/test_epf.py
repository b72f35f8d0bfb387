import numpy as np
import pytest
import torch
from scipy.special import softmax

from models import tiny
from overopt.catalog import systems
from overopt.engines.method.particles import OpenedParticles
from overopt.engines.particles.filter import ParticleFilter
from overopt.engines.particles.likelihood import ratios
from overopt.errors import UserError
from overopt.methods.contract.particles import Grown
from overopt.methods.selection import epf, pf
from overopt.methods.selection.epf import Config, annealing_temperature, potential
from overopt.stats.arrays import Floats
from overopt.worlds.tokens import EOS, Tokens

LOG_P = np.log(np.array([[0.85, 0.05, 0.05, 0.05]]))


def chances(grown: Grown, temperature: float = 1.0, annealing: str = "ess") -> Floats:
    """Of being drawn, for each particle."""
    found: Floats = softmax(potential(Config(annealing=annealing), grown, temperature), axis=1)
    return found


@pytest.mark.parametrize(
    ("annealing", "temperature", "expected"),
    [
        # 1 / sum p^2 = 1 / .73 = 1.3699, e = .3425; .8 / .3425 = 2.3360; 17^(1 / 2.3360) = 3.3630
        # times as likely as each other one: 3.3630 / 6.3630
        ("ess", 2.3360, [0.5285, 0.1572, 0.1572, 0.1572]),
        # h = (.85 x .1625 + .15 x 2.9957) / log 4 = .4238; 1 / (.4238 + .5762 x .2) = 1.8552;
        # 17^(1 / 1.8552) = 4.6052 of 7.6052
        ("entropy", 1.8552, [0.6055, 0.1315, 0.1315, 0.1315]),
        # 2 - .2; 17^(1 / 1.8) = 4.8260 of 7.8260
        ("base", 1.8, [0.6167, 0.1278, 0.1278, 0.1278]),
    ],
)
def test_early_steps_by_hand(annealing: str, temperature: float, expected: list[float]) -> None:
    found_R1 = annealing_temperature(Config(annealing=annealing), LOG_P, 0.2)
    assert found_R1[0, 0] == pytest.approx(temperature, abs=1e-4)
    chance_RN = chances(Grown(LOG_P, 1, 5), annealing=annealing)
    assert chance_RN[0] == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("annealing", ["ess", "entropy", "base"])
def test_late_steps_and_many_leaders_are_those_of_the_particle_filter(annealing: str) -> None:
    config = Config(annealing=annealing)
    late, many = Grown(LOG_P, 3, 5), Grown(np.array([[1.0, 1.0, 0.9, -4.0]]), 1, 5)
    for grown in (late, many):
        plain = softmax(pf.potential(pf.Config(), grown, 1.0), axis=1)
        assert softmax(potential(config, grown, 1.0), axis=1) == pytest.approx(plain)
    equal = Grown(np.full((2, 4), 0.3), 1, 5)
    assert chances(equal, annealing=annealing) == pytest.approx(np.full((2, 4), 0.25))
    alone = Grown(np.array([[2.0]]), 1, 5)
    assert chances(alone, annealing=annealing) == pytest.approx(np.ones((1, 1)))


def test_runs_are_held_back_each_by_its_own_particles() -> None:
    both = Grown(np.concatenate([LOG_P, np.zeros((1, 4))]), 1, 5)
    assert chances(both)[0] == pytest.approx(chances(Grown(LOG_P, 1, 5))[0])
    assert chances(both)[1] == pytest.approx([0.25] * 4)


def test_unknown_annealing_and_no_temperature_are_refused() -> None:
    with pytest.raises(UserError, match="Unknown value of annealing 'none'"):
        systems.method("epf", {"annealing": "none"})
    with pytest.raises(ValueError, match="above 0"):
        potential(Config(), Grown(LOG_P, 1, 5), 0.0)


def test_it_spends_less_kl_than_the_particle_filter_at_the_same_temperature() -> None:
    policy = tiny.policy(0)
    asked = tiny.prompts().take(np.zeros(400, np.int64))

    def reward(prompts: Tokens, responses: Tokens) -> Floats:
        return np.asarray((responses.ids_NT == 4).sum(1), np.float64)

    kl = []
    for module, config in ((pf, pf.Config(8, 3)), (epf, epf.Config(8, 3))):
        method = OpenedParticles(module, config)
        runner = ParticleFilter(method, policy, reward, tiny.RESPONSE_TOKENS, (EOS,))
        generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
        answers = runner.run(asked, 0.15, generator, rng)
        kl.append(ratios(runner, asked, answers, 0.15, 8, generator, rng).kl_terms().mean())
    assert kl[1] < kl[0] - 0.05
