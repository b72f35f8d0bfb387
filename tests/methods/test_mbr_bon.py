from itertools import product
from typing import Any

import numpy as np
import pytest

from overopt.engines.method.selection import OpenedSelection
from overopt.engines.selection import Selection
from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.selection import bon, mbr_bon
from overopt.stats.arrays import Floats, Ints
from overopt.stats.pools.listed import kl_listed
from overopt.stats.pools.similarity import of_unit_length

REFERENCE_V, REWARD_V = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0])
FEATURE_VF = np.array([[2.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
"""The first two responses are alike, the third, which the proxy likes most, is like none."""


def drawn(row_Dn: Ints) -> ScoredPool:
    scored = samples_of_reference(REWARD_V[row_Dn])
    pool = samples_of_reference(REWARD_V[None])._replace(unit_BNF=of_unit_length(FEATURE_VF[None]))
    return scored._replace(similarity_BN=pool.draws(row_Dn).similarity_BN)


def law(weight: float, n: int) -> Floats:
    """All draws of n written out."""
    draw_Dn = np.array(list(product(range(3), repeat=n)))
    within = mbr_bon.draw_weights(mbr_bon.Config(weight=weight), drawn(draw_Dn), float(n))
    chance = REFERENCE_V[draw_Dn].prod(axis=1)[:, None] * within
    return np.asarray(np.bincount(draw_Dn.ravel(), weights=chance.ravel()), np.float64)


def test_a_draw_by_hand() -> None:
    # cosines 1 between 0 and 1, 0 with 2: means 2/3, 2/3, 1/3; weight 4: 2.667, 3.667, 3.333
    one = drawn(np.array([[0, 1, 2]]))
    assert one.similarity_BN is not None
    assert one.similarity_BN[0] == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    for weight, best in ((0.0, 2), (2.0, 2), (4.0, 1)):
        found = mbr_bon.draw_weights(mbr_bon.Config(weight=weight), one, 3.0)
        assert found[0].tolist() == np.eye(3)[best].tolist()
    tied = mbr_bon.draw_weights(mbr_bon.Config(weight=1.0), drawn(np.array([[0, 2, 2]])), 3.0)
    assert tied[0].tolist() == [0.0, 0.5, 0.5]


@pytest.mark.parametrize("n", [1, 2, 4])
def test_no_weight_is_best_of_n(n: int) -> None:
    listed = ScoredPool(REWARD_V[None], REFERENCE_V[None])
    assert law(0.0, n) == pytest.approx(bon.weights(bon.Config(), listed, float(n))[0])


def test_in_pairs_similarity_decides_nothing() -> None:
    # each of two has the same mean with the other
    assert law(50.0, 2) == pytest.approx(law(0.0, 2))


def test_among_many_the_typical_wins() -> None:
    # 0 or 1, which is alike and has the higher proxy, but where 2 has the majority of three:
    # .2^3 + 3 x .2^2 x .8 = .104
    found = law(50.0, 3)
    assert found[2] == pytest.approx(0.104)
    assert found[0] == pytest.approx(0.5**3 + 3 * 0.5**2 * 0.2)  # no 1 beside it
    kl = [float(kl_listed(law(w, 3)[None], REFERENCE_V[None])[0]) for w in (0.0, 4.0, 50.0)]
    assert kl[0] > kl[1] and kl[0] > kl[2]


def test_the_engine_finds_the_kl_of_the_law() -> None:
    row_N = np.repeat([0, 1, 2], [50, 30, 20])
    pool = samples_of_reference(np.tile(REWARD_V[row_N], (8, 1)))
    pool = pool._replace(unit_BNF=of_unit_length(np.tile(FEATURE_VF[row_N], (8, 1, 1))))
    module: Any = mbr_bon
    method = OpenedSelection(module, mbr_bon.Config(weight=4.0))
    selection = Selection(method, lambda: np.random.default_rng(0))
    expected = kl_listed(law(4.0, 3)[None], REFERENCE_V[None])[0]
    assert selection.kl(pool, 3.0).mean() == pytest.approx(expected, abs=4e-3)
    assert mbr_bon.samples_used(mbr_bon.Config(), 512, 3.0) == 3


def test_draws_are_taken_a_few_at_a_time_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    pool = samples_of_reference(generator.normal(size=(3, 20)))
    pool = pool._replace(unit_BNF=of_unit_length(generator.normal(size=(3, 20, 2))))
    module: Any = mbr_bon
    method = OpenedSelection(module, mbr_bon.Config())
    sizes: list[int] = []
    draw = method.draw_weights

    def counted(draws: ScoredPool, knob: float) -> Floats:
        sizes.append(len(draws.proxy_BN))
        return draw(draws, knob)

    monkeypatch.setattr(OpenedSelection, "draw_weights", staticmethod(counted))
    selection = Selection(method, lambda: np.random.default_rng(0))
    at_once = selection.kl(pool, 5.0), selection.weights(pool, 5.0)
    assert max(sizes) == 20
    sizes.clear()
    monkeypatch.setattr("overopt.engines.selection._NUMBERS_AT_ONCE", 35)  # 7 draws of 5
    some = selection.kl(pool, 5.0), selection.weights(pool, 5.0)
    assert max(sizes) == 7 and min(sizes) == 5
    for found, whole in zip(some, at_once, strict=True):
        np.testing.assert_array_equal(found, whole)
