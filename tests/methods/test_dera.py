import numpy as np
import pytest
from scipy.special import softmax

from overopt.catalog import systems
from overopt.methods.contract.composition import Composition
from overopt.methods.merge.dera import Config, compose
from overopt.stats.arrays import Floats
from overopt.stats.pools.listed import kl_listed

REFERENCE_R = np.array([0.5, 0.3, 0.2])
REWARD_R = np.array([0.0, 1.0, 2.0])


def realigned(reference: Floats, trained: Floats, lam: float) -> Floats:
    """The next token's distribution under the weights of the method."""
    made = compose(Config(), lam)
    (weight,) = made.trained
    found: Floats = softmax(made.initial * np.log(reference) + weight * np.log(trained), axis=-1)
    return found


def tilted(beta: float) -> Floats:
    """The optimum of E r - beta KL: pi_ref exp(r / beta) / Z."""
    found: Floats = softmax(np.log(REFERENCE_R) + REWARD_R / beta)
    return found


def test_weights_by_hand() -> None:
    assert compose(Config(), 0.25) == Composition(0.75, (0.25,))
    assert compose(Config(), 2.0) == Composition(-1.0, (2.0,))


def test_half_of_an_optimum_is_the_optimum_at_twice_the_penalty() -> None:
    # ref exp(r) ~ (.5, .8155, 1.4778): (.1790, .2919, .5291); ref exp(r / 2) ~ (.5, .4946, .5437)
    assert tilted(1.0) == pytest.approx([0.1790, 0.2919, 0.5291], abs=5e-5)
    half = realigned(REFERENCE_R, tilted(1.0), 0.5)
    assert half == pytest.approx([0.3250, 0.3215, 0.3534], abs=5e-5)


@pytest.mark.parametrize("lam", [0.01, 0.3, 1.0, 1.7])
@pytest.mark.parametrize("beta", [0.4, 2.0])
def test_where_a_response_is_one_token_it_is_exact(beta: float, lam: float) -> None:
    found = realigned(REFERENCE_R, tilted(beta), lam)
    assert found == pytest.approx(tilted(beta / lam), abs=1e-12)


def test_ends_of_the_knob() -> None:
    trained = tilted(0.7)
    assert realigned(REFERENCE_R, trained, 0.0) == pytest.approx(REFERENCE_R)
    assert realigned(REFERENCE_R, trained, 1.0) == pytest.approx(trained)
    grid = [realigned(REFERENCE_R, trained, lam) for lam in (0.1, 0.4, 0.8, 1.0, 1.5)]
    kl = [float(kl_listed(one[None], REFERENCE_R[None])[0]) for one in grid]
    assert kl == sorted(kl) and kl[0] > 0


def test_over_two_tokens_it_normalizes_at_each_and_is_not_the_sequences_tilt() -> None:
    # r is 1 for (0, 0) only. Under pi_ref all four responses have .25.
    # pi at beta 1: Z = .25 (e + 3); first token 0: (e + 1) / (e + 3) = .6503, then 0: e / (e + 1)
    # = .7311. Half: sqrt(.6503 .5) / (sqrt(.6503 .5) + sqrt(.3497 .5)) = .5769, and sqrt(.7311) /
    # (sqrt(.7311) + sqrt(.2689)) = .6225, so that (0, 0) has .5769 x .6225 = .3591.
    # The tilt at beta 2 gives it sqrt(e) / (sqrt(e) + 3) = .3547.
    even = np.array([0.5, 0.5])
    first = realigned(even, np.array([(np.e + 1) / (np.e + 3), 2 / (np.e + 3)]), 0.5)
    then = realigned(even, np.array([np.e / (np.e + 1), 1 / (np.e + 1)]), 0.5)
    assert first[0] * then[0] == pytest.approx(0.3591, abs=5e-5)
    assert np.sqrt(np.e) / (np.sqrt(np.e) + 3) == pytest.approx(0.3547, abs=5e-5)


def test_any_method_that_trains_can_be_realigned() -> None:
    found = systems.method("dera", {"member": "rloo"})
    assert found.member == systems.method("rloo")
    assert found.trains == "rollout" and found.sees_proxy and found.members == 1
    assert not systems.method("dera").sees_proxy
