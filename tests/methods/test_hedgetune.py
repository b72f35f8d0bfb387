import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from overopt.catalog import systems
from overopt.errors import UserError
from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.selection.hedgetune import (
    KNOB,
    Config,
    residual,
    samples_used,
    tune,
    weights,
)
from overopt.stats.arrays import Floats
from overopt.stats.pools.listed import kl_listed

RULES = ["bon", "bop", "soft-bon"]
LISTED = ScoredPool(np.array([[0.0, 1.0, 2.0]]), np.array([[0.5, 0.3, 0.2]]))
SIZE = 4000
U = (np.arange(SIZE) + 0.5) / SIZE
TOY = samples_of_reference(U[None])
TOY_GOLD_BN = (U**12 * (1 - U) / (12**12 / 13**13))[None]
"""u^12 (1 - u) with largest value 1: it is hacked beyond u = 12/13."""


def gold_at(config: Config, strength: float) -> float:
    return float((weights(config, TOY, strength) * TOY_GOLD_BN).sum())


@pytest.mark.parametrize(
    ("rule", "strength", "policy"),
    [
        ("bon", 3.0, [0.0625, 0.3471, 0.5904]),  # n = 4: .5^4, .8^4 - .5^4
        ("bop", 1.0, [0.3033, 0.3517, 0.3450]),  # .5 e^-.5, .8 e^-.2
        ("soft-bon", 1.0, [0.1790, 0.2919, 0.5291]),  # .5, .3 e, .2 e^2
        ("soft-bon", 2.0, [0.0367, 0.1626, 0.8008]),
    ],
)
def test_rules_by_hand(rule: str, strength: float, policy: list[float]) -> None:
    found_BN = weights(Config(rule), LISTED, strength)
    assert found_BN[0] == pytest.approx(policy, abs=1e-4)
    assert found_BN.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("rule", RULES)
def test_strength_zero_is_the_initial_policy_and_more_is_more_kl(rule: str) -> None:
    assert weights(Config(rule), LISTED, 0.0) == pytest.approx(LISTED.reference_BN)
    policies = [weights(Config(rule), LISTED, s) for s in (0.01, 0.3, 1.0, 4.0, 20.0)]
    kl = [float(kl_listed(policy, LISTED.reference_BN)[0]) for policy in policies]
    assert kl == sorted(kl) and 0 < kl[0] < 1e-3


def test_soft_best_of_n_has_draws() -> None:
    # T = 1, n = 4 (the card of soft best-of-n): (.2616, .3379, .4006)
    found_BN = weights(Config("soft-bon", n=4), LISTED, 1.0)
    assert found_BN[0] == pytest.approx([0.2616, 0.3379, 0.4006], abs=5e-5)


@pytest.mark.parametrize(
    ("rule", "strength", "gold"), [("bon", math.sqrt(156) - 1, 0.6797), ("bop", 12.3998, 0.6669)]
)
def test_the_toy_of_the_authors(rule: str, strength: float, gold: float) -> None:
    # bon: E gold is n / ((n + 12)(n + 13)) times a constant, highest at n^2 = 12 x 13
    found = tune(Config(rule), TOY, TOY_GOLD_BN)
    assert found == pytest.approx(strength, rel=1e-3)
    assert gold_at(Config(rule), found) == pytest.approx(gold, abs=2e-4)


@pytest.mark.parametrize("rule", RULES)
def test_it_stops_where_gold_is_highest(rule: str) -> None:
    config = Config(rule)
    found = tune(config, TOY, TOY_GOLD_BN)
    best = minimize_scalar(
        lambda log_s: -gold_at(config, math.exp(log_s)), bounds=(0.0, 5.0), method="bounded"
    )
    assert found == pytest.approx(math.exp(best.x), rel=2e-3)
    assert residual(config, TOY, TOY_GOLD_BN, 0.9 * found) > 0
    assert residual(config, TOY, TOY_GOLD_BN, 1.1 * found) < 0


@pytest.mark.parametrize("strength", [0.3, 3.0, 30.0])
@pytest.mark.parametrize("rule", ["bon", "bop"])
def test_the_residual_is_the_derivative_of_gold(rule: str, strength: float) -> None:
    config, step = Config(rule), 1e-4 * strength
    numeric = gold_at(config, strength + step) - gold_at(config, strength - step)
    assert residual(config, TOY, TOY_GOLD_BN, strength) == pytest.approx(
        numeric / (2 * step), rel=1e-5, abs=1e-9
    )


@pytest.mark.parametrize("rule", RULES)
def test_gold_that_only_rises_or_falls(rule: str) -> None:
    furthest = tune(Config(rule), LISTED, LISTED.proxy_BN)
    end_BN = weights(Config(rule), LISTED, KNOB.high)
    assert weights(Config(rule), LISTED, furthest) == pytest.approx(end_BN, abs=1e-12)
    assert tune(Config(rule), LISTED, -LISTED.proxy_BN) == pytest.approx(KNOB.low)
    flat_BN: Floats = np.ones((1, 3))
    for strength in (0.1, 1.0, 10.0):
        assert residual(Config(rule), LISTED, flat_BN, strength) == pytest.approx(0.0, abs=1e-9)


def test_of_two_hills_the_higher_counts() -> None:
    hills_BN = np.exp(-(((U - 0.7) / 0.05) ** 2)) + 3 * np.exp(-(((U - 0.99) / 0.005) ** 2))
    found = tune(Config("bop"), TOY, hills_BN[None])
    assert found > 50
    one_BN = np.exp(-(((U - 0.7) / 0.05) ** 2))[None]
    assert tune(Config("bop"), TOY, one_BN) < 5


def test_costs_and_rules_that_do_not_exist() -> None:
    assert samples_used(Config("bop"), 64, 3.2) == 5
    assert samples_used(Config("soft-bon"), 64, 3.2) == 64
    assert samples_used(Config("soft-bon", n=8), 64, 3.2) == 8
    with pytest.raises(UserError, match="Unknown value of rule 'best'"):
        systems.method("hedgetune", {"rule": "best"})
