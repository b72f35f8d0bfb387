from itertools import product

import numpy as np
import pytest

from overopt.stats.pools import listed
from overopt.stats.pools.best_of_n import kl_bound, weights

REFERENCE = [0.5, 0.3, 0.2]


def best_of(n: int) -> np.ndarray:
    return listed.by_quantile([[0.0, 1.0, 2.0]], [REFERENCE], lambda u: u**n)


def test_best_of_n_of_three_responses_by_hand() -> None:
    # F = .5, .8, 1: best of 2 is .25, .64 - .25, 1 - .64
    np.testing.assert_allclose(best_of(1), [REFERENCE])
    np.testing.assert_allclose(best_of(2), [[0.25, 0.39, 0.36]])
    np.testing.assert_allclose(best_of(4), [[0.0625, 0.3471, 0.5904]])
    expected = 0.25 * np.log(0.5) + 0.39 * np.log(1.3) + 0.36 * np.log(1.8)
    kl = listed.kl_listed(best_of(2), [REFERENCE])
    np.testing.assert_allclose(kl, [expected])
    np.testing.assert_allclose(kl, [0.1406], atol=5e-5)
    np.testing.assert_allclose(listed.kl_listed(best_of(4), [REFERENCE]), [0.5598], atol=5e-5)


@pytest.mark.parametrize(
    ("mu", "policy", "kl"),
    [(1.0, [0.3033, 0.3517, 0.3450], 0.0924), (4.0, [0.0677, 0.2918, 0.6405], 0.6022)],
)
def test_a_random_n_mixes_powers(mu: float, policy: list[float], kl: float) -> None:
    # n = 1 + Poisson(mu): E[u^n] = u exp(mu (u - 1))
    found = listed.by_quantile([[0.0, 1.0, 2.0]], [REFERENCE], lambda u: u * np.exp(mu * (u - 1)))
    np.testing.assert_allclose(found, [policy], atol=5e-5)
    np.testing.assert_allclose(listed.kl_listed(found, [REFERENCE]), [kl], atol=5e-5)


def test_ties_share_by_reference_probability_and_order_does_not_matter() -> None:
    # the two upper ones tie with F from .5 to 1: best of 2 gives them .75, shared as .3 to .2
    found = listed.by_quantile([[7.0, 1.0, 7.0]], [[0.3, 0.5, 0.2]], lambda u: u**2)
    np.testing.assert_allclose(found, [[0.45, 0.25, 0.30]])
    np.testing.assert_allclose(
        listed.by_quantile([[1.0, 2.0]], [[0.0, 1.0]], lambda u: u**3), [[0.0, 1.0]]
    )


@pytest.mark.parametrize("n", [2, 3])
def test_best_of_n_is_every_ordered_draw(n: int) -> None:
    generator = np.random.default_rng(n)
    reference = generator.dirichlet(np.ones(5))
    score = np.array([0.4, -1.0, 0.4, 2.0, -1.0])
    expected = np.zeros(5)
    for drawn in product(range(5), repeat=n):
        best = [i for i in drawn if score[i] == score[list(drawn)].max()]
        for i in best:
            expected[i] += reference[list(drawn)].prod() / len(best)
    found = listed.by_quantile(score[None], reference[None], lambda u: u**n)
    np.testing.assert_allclose(found[0], expected)


def test_a_binary_proxy_has_a_far_smaller_kl_than_the_bound() -> None:
    # one in ten scores 1 .. 30 %: at n = 64 the bound is 3.17, the truth log(1 / .3) = 1.20
    reference = [[0.7, 0.3]]
    found = listed.kl_listed(
        listed.by_quantile([[0.0, 1.0]], reference, lambda u: u**64), reference
    )
    rest = 0.7**64
    expected = (1 - rest) * np.log((1 - rest) / 0.3) + rest * np.log(rest / 0.7)
    np.testing.assert_allclose(found, [expected])
    assert round(float(found[0]), 2) == 1.20
    assert round(float(kl_bound(64)), 2) == 3.17


@pytest.mark.parametrize(("size", "below"), [(64, 0.041), (128, 0.0105), (1024, 0.0002)])
def test_without_ties_the_kl_of_a_pool_is_just_below_the_bound(size: int, below: float) -> None:
    reference = listed.uniform(1, size)
    policy = listed.by_quantile(np.arange(float(size))[None], reference, lambda u: u**64)
    missing = float(kl_bound(64)) - float(listed.kl_listed(policy, reference)[0])
    assert 0 < missing < below
    # the weights of draws without replacement are unbiased for gold, but their KL is too high
    unbiased = weights(np.arange(float(size))[None], 64)
    assert float(listed.kl_listed(unbiased, reference)[0]) - float(kl_bound(64)) > 10 * missing


def test_kl_of_listed_policies_by_hand() -> None:
    policy, reference = [[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]], [[0.25, 0.25, 0.5]] * 2
    np.testing.assert_allclose(listed.kl_listed(policy, reference), [np.log(2.0), 0.0])
    np.testing.assert_allclose(
        listed.kl_listed([[1.0, 0.0, 0.0, 0.0]], listed.uniform(1, 4)), [np.log(4.0)]
    )


def test_effective_samples_by_hand() -> None:
    # sums of squares 1 and 1/4: mean 5/8
    assert listed.effective_samples([[1.0, 0, 0, 0], [0.25] * 4]) == pytest.approx(8 / 5)
    assert listed.effective_samples(listed.uniform(3, 7)) == pytest.approx(7.0)


def test_what_is_no_distribution_is_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        listed.kl_listed([[0.5, 0.4]], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="sum to 1"):
        listed.effective_samples([[1.5, -0.5]])
    with pytest.raises(ValueError, match="KL is infinite"):
        listed.kl_listed([[0.5, 0.5]], [[1.0, 0.0]])
    with pytest.raises(ValueError, match="differ in shape"):
        listed.by_quantile([[1.0, 2.0, 3.0]], [[0.5, 0.5]], lambda u: u)
    with pytest.raises(ValueError, match="shape"):
        listed.kl_listed([1.0], [1.0])
