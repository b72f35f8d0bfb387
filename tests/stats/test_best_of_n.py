from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overopt.stats.pools import best_of_n
from overopt.stats.pools.listed import by_quantile, kl_listed, uniform


def brute_force_weights(proxy: list[float], n: int) -> np.ndarray:
    """Enumerate every subset of size n; tied winners share it."""
    weight, subsets = np.zeros(len(proxy)), list(combinations(range(len(proxy)), n))
    for subset in subsets:
        best = max(proxy[i] for i in subset)
        winners = [i for i in subset if proxy[i] == best]
        weight[winners] += 1.0 / len(winners) / len(subsets)
    return weight


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=7), min_size=1, max_size=4),
    st.integers(1, 7),
)
def test_weights_equal_enumeration_of_subsets(pools: list[list[int]], n: int) -> None:
    prompt = np.concatenate([[b] * len(pool) for b, pool in enumerate(pools)])
    proxy = np.concatenate(pools).astype(float) / 3.0
    shuffle = np.random.default_rng(0).permutation(proxy.size)
    ranked = best_of_n.rank_pools(prompt[shuffle], proxy[shuffle])
    weight = np.empty(proxy.size)
    weight[shuffle] = best_of_n.weights_ragged(ranked, n)
    for b, pool in enumerate(pools):
        expected = brute_force_weights([v / 3.0 for v in pool], n) if len(pool) >= n else 0.0
        np.testing.assert_allclose(weight[prompt == b], expected, atol=1e-12)


def test_weights_on_literals() -> None:
    # N = 4, n = 2: C(i-1, 1)/6 = 0, 1, 2, 3 sixths by rank
    np.testing.assert_allclose(
        best_of_n.weights([[0.3, 0.1, 0.9, 0.5]], 2), [[1 / 6, 0, 3 / 6, 2 / 6]]
    )
    np.testing.assert_allclose(
        best_of_n.weights([[1.0, 1.0, 0.0, 1.0]], 2), [[1 / 3, 1 / 3, 0, 1 / 3]]
    )
    np.testing.assert_allclose(best_of_n.weights([[5.0, 5.0]], 1), [[0.5, 0.5]])


def test_weights_of_a_large_pool_sum_to_one() -> None:
    proxy = np.random.default_rng(0).normal(size=(2, 60_000))
    for n in (1, 2, 1000, 30_000, 60_000):
        np.testing.assert_allclose(best_of_n.weights(proxy, n).sum(axis=1), 1.0, rtol=1e-8)


def test_best_of_n_refuses_what_does_not_exist() -> None:
    with pytest.raises(ValueError, match="NaN"):
        best_of_n.weights([[1.0, np.nan]], 1)
    with pytest.raises(ValueError, match=r"1\.\.2"):
        best_of_n.weights([[1.0, 2.0]], 3)
    with pytest.raises(ValueError, match="at least 1"):
        best_of_n.curve([1], [1.0], [1.0], [0])
    with pytest.raises(ValueError, match="integer"):
        best_of_n.curve([1], [1.0], [1.0], [1.5])


def test_curve_drops_and_counts_small_pools() -> None:
    prompt = ["b", "a", "b", "b", "a"]
    gold, proxy = [1.0, 10.0, 2.0, 6.0, 20.0], [3.0, 0.0, 1.0, 2.0, 1.0]
    result = best_of_n.curve(prompt, gold, proxy, [1, 2, 3])
    assert result.prompt_B.tolist() == ["a", "b"]
    assert result.kept_BK.tolist() == [[True, True, False], [True, True, True]]
    # b by proxy: 2, 6, 1; n = 2: weights 0, 1/3, 2/3 -> 6/3 + 2/3; n = 3: the last, 1
    np.testing.assert_allclose(result.gold_BK[1], [3.0, 8 / 3, 1.0])
    np.testing.assert_allclose(result.gold_BK[0, :2], [15.0, 20.0])
    np.testing.assert_allclose(result.proxy_BK[1], [2.0, 8 / 3, 3.0])
    # two samples: best of 2 takes the upper one with 3/4, were they all there is
    expected = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    np.testing.assert_allclose(result.kl_BK[0, :2], [0.0, expected])
    np.testing.assert_allclose(1 / result.square_BK[0, :2], [2.0, 1.0])
    assert np.isfinite(result.gold_BK).all()


def test_gold_of_a_random_proxy_stays_flat_and_gold_as_proxy_rises() -> None:
    generator = np.random.default_rng(5)
    gold = generator.normal(size=(400, 64))
    prompt = np.repeat(np.arange(400), 64)
    by_gold = best_of_n.curve(prompt, gold.ravel(), gold.ravel(), [1, 4, 16]).gold_BK.mean(0)
    # expected maximum of 4 and 16 standard normals: 1.02938, 1.76599
    np.testing.assert_allclose(by_gold, [0.0, 1.02938, 1.76599], atol=0.03)
    noise = generator.normal(size=gold.size)
    by_noise = best_of_n.curve(prompt, gold.ravel(), noise, [1, 4, 16]).gold_BK.mean(0)
    np.testing.assert_allclose(by_noise, 0.0, atol=0.15)


def test_kl_bound_on_literals() -> None:
    np.testing.assert_allclose(
        best_of_n.kl_bound([1, 2, 4]), [0.0, 0.1931471805599453, 0.6362943611198906]
    )
    with pytest.raises(ValueError, match="at least 1"):
        best_of_n.kl_bound(0.5)


def kl_of_curve(proxy: list[float], n: int) -> float:
    result = best_of_n.curve(np.zeros(len(proxy)), proxy, proxy, [n])
    return float(result.kl_BK[0, 0])


def test_the_kl_tends_to_the_bound_from_below_and_ties_lower_it() -> None:
    bound = float(best_of_n.kl_bound(8))
    found = [kl_of_curve([float(i) for i in range(size)], 8) for size in (8, 16, 64, 512)]
    assert found == sorted(found)
    assert bound - 0.042 < found[0]
    assert bound - 2e-5 < found[-1] < bound
    # two outcomes of probability 1/2: KL = log 2 - H(2^-8)
    rare = 2.0**-8
    entropy = -rare * np.log(rare) - (1 - rare) * np.log(1 - rare)
    assert kl_of_curve([0.0, 1.0] * 4, 8) == pytest.approx(np.log(2.0) - entropy)


def test_the_kl_of_a_binary_proxy_is_not_the_bound() -> None:
    proxy = [0.0] * 70 + [1.0] * 30
    assert kl_of_curve(proxy, 64) == pytest.approx(1.20, abs=0.005)  # log(1 / .3), all but 1e-10
    assert float(best_of_n.kl_bound(64)) == pytest.approx(3.17, abs=0.005)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=7), min_size=1, max_size=4),
    st.integers(1, 3),
)
def test_the_kl_is_that_of_the_listed_policy(pools: list[list[int]], n: int) -> None:
    prompt = np.concatenate([[b] * len(pool) for b, pool in enumerate(pools)])
    proxy = np.concatenate(pools).astype(float)
    shuffle = np.random.default_rng(0).permutation(proxy.size)
    result = best_of_n.curve(prompt[shuffle], proxy[shuffle], proxy[shuffle], [n])
    for b, pool in enumerate(pools):
        reference = uniform(1, len(pool))
        policy = by_quantile([pool], reference, lambda u: u**n)
        expected = kl_listed(policy, reference)
        np.testing.assert_allclose(result.kl_BK[b], expected, atol=1e-12)
