"""The one case of overoptimization that has an exact answer.

Proxy = X + Z with X, Z independent normals. Gao, Schulman, Hilton (2022), the regressional lemma:
E[X | Xhat = xh] = E[X] + (xh - E[X] - E[Z]) Var X / (Var X + Var Z).
"""

import numpy as np
import pytest

from overopt.stats.pools import best_of_n
from overopt.stats.pools.fronts import oracle_front

MEAN_X, SD_X, MEAN_Z, SD_Z = 1.0, 2.0, -0.5, 1.5
SHRINK = SD_X**2 / (SD_X**2 + SD_Z**2)  # 0.64


@pytest.fixture(scope="module")
def pools() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    gold = MEAN_X + SD_X * generator.normal(size=(1500, 128))
    return gold, gold + MEAN_Z + SD_Z * generator.normal(size=gold.shape)


def test_gold_given_proxy(pools: tuple[np.ndarray, np.ndarray]) -> None:
    gold, proxy = pools
    for at in (-3.0, 0.5, 4.0):
        near = np.abs(proxy - at) < 0.1
        expected = MEAN_X + (at - MEAN_X - MEAN_Z) * SHRINK
        assert gold[near].mean() == pytest.approx(
            expected, abs=4 * gold[near].std() / near.sum() ** 0.5
        )


def test_best_of_n_moves_gold_by_the_shrunken_proxy(pools: tuple[np.ndarray, np.ndarray]) -> None:
    gold, proxy = pools
    prompt = np.repeat(np.arange(gold.shape[0]), gold.shape[1])
    curve = best_of_n.curve(prompt, gold.ravel(), proxy.ravel(), [1, 4, 16, 64])
    gold_K, proxy_K = curve.gold_BK.mean(axis=0), curve.proxy_BK.mean(axis=0)
    np.testing.assert_allclose(gold_K, MEAN_X + (proxy_K - MEAN_X - MEAN_Z) * SHRINK, atol=0.06)
    # expected maxima of 1, 4, 16, 64 standard normals
    maxima = np.array([0.0, 1.02938, 1.76599, 2.34373])
    np.testing.assert_allclose(proxy_K, MEAN_X + MEAN_Z + np.hypot(SD_X, SD_Z) * maxima, atol=0.06)


def test_tilting_by_the_proxy_is_worse_than_by_gold_by_the_root_of_the_shrinkage() -> None:
    # both normal: gold moves by sd_x sqrt(2 KL) by gold, and by sd_x sqrt(shrink 2 KL) by proxy
    generator = np.random.default_rng(5)
    gold = SD_X * generator.normal(size=(200, 2000))
    proxy = gold + SD_Z * generator.normal(size=gold.shape)
    by_gold, by_proxy = oracle_front(gold, [0.5]).points[0], oracle_front(proxy, [0.5]).points[0]
    assert by_proxy.b is not None
    weight = np.exp(proxy / by_proxy.b)
    moved = float((weight * gold).sum(axis=1) @ (1 / weight.sum(axis=1)) / 200)
    assert moved / by_gold.gold == pytest.approx(np.sqrt(SHRINK), abs=0.03)
