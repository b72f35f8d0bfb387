"""A selection method opened: which of its functions answers what, and the KL of its policy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from overopt.engines.method.selection import OpenedSelection
from overopt.engines.selection import SMALLEST_ESS, Selection, find_places
from overopt.engines.walk.placing import Place
from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.selection import bon, itp, soft_bon
from overopt.spec.declare import Knob
from overopt.stats.arrays import Floats
from overopt.stats.pools.listed import effective_samples, kl_listed

PROXY_BN = np.random.default_rng(0).normal(size=(24, 64))
SAMPLED = samples_of_reference(PROXY_BN)
GOLD_BN = np.random.default_rng(1).normal(size=(24, 64))


def opened(module: Any, **config: Any) -> Selection:
    method = OpenedSelection(module, module.Config(**config))
    return Selection(method, lambda: np.random.default_rng(0))


def drawing_only(**config: Any) -> Selection:
    """Soft best-of-n by somebody who knows no integrals: what happens within a draw."""
    module: Any = SimpleNamespace(
        __name__="drawing",
        samples_used=soft_bon.samples_used,
        draw_size=soft_bon.draw_size,
        draw_weights=soft_bon.draw_weights,
    )
    method = OpenedSelection(module, soft_bon.Config(**config))
    return Selection(method, lambda: np.random.default_rng(0))


def test_a_cold_pair_has_the_kl_of_best_of_two_and_not_that_of_its_weights() -> None:
    cold, best = opened(soft_bon, n=2), opened(bon)
    kl = float(cold.kl(SAMPLED, 0.01).mean())
    assert kl == pytest.approx(float(best.kl(SAMPLED, 2.0).mean()), abs=1e-3)
    assert kl == pytest.approx(0.193, abs=1e-3)  # log 2 - 1/2; within a pair it would be log 2
    for temperature in (1e6, 1e9):
        assert cold.kl(SAMPLED, temperature) == pytest.approx(np.zeros(24), abs=1e-9)


def test_cold_weights_give_the_gold_of_best_of_n() -> None:
    soft_BN = opened(soft_bon, n=8).weights(SAMPLED, 0.001)
    hard_BN = opened(bon).weights(SAMPLED, 8.0)
    change_B = ((soft_BN - hard_BN) * GOLD_BN).sum(axis=1)
    assert np.abs(change_B).max() < 0.15
    assert abs(change_B.mean()) < 0.03


@pytest.mark.parametrize("temperature", [0.01, 0.5, 4.0])
@pytest.mark.parametrize("n", [2, 16])
def test_what_happens_within_a_draw_is_enough(n: int, temperature: float) -> None:
    drawn, known = drawing_only(n=n), opened(soft_bon, n=n)
    assert not drawn.knows_policy
    kl = float(drawn.kl(SAMPLED, temperature).mean())
    assert kl == pytest.approx(float(known.kl(SAMPLED, temperature).mean()), abs=0.01)
    one, two = (each.weights(SAMPLED, temperature) for each in (drawn, known))
    np.testing.assert_array_equal(one, two)
    assert one.sum(axis=1) == pytest.approx(np.ones(24))


def test_no_draws_mean_the_policy() -> None:
    weight_BN = opened(soft_bon).weights(SAMPLED, 0.7)
    assert weight_BN == pytest.approx(softmax(PROXY_BN / 0.7, axis=1))
    assert opened(itp).weights(SAMPLED, 0.5).sum(axis=1) == pytest.approx(np.ones(24))


def test_trust() -> None:
    assert opened(bon).trusts(SAMPLED, 64.0)
    assert not opened(bon).trusts(SAMPLED, 65.0)  # more than the pool holds
    assert opened(soft_bon, n=8).trusts(SAMPLED, 0.01)
    assert not opened(soft_bon, n=80).trusts(SAMPLED, 1.0)
    tilted = opened(soft_bon)
    for temperature in (0.1, 0.4, 1.0, 5.0):
        enough = effective_samples(tilted.weights(SAMPLED, temperature)) >= SMALLEST_ESS
        assert tilted.trusts(SAMPLED, temperature) == enough
    assert not tilted.trusts(SAMPLED, 0.1)
    assert tilted.trusts(SAMPLED, 5.0)


def test_the_bound_belongs_to_best_of_n() -> None:
    assert opened(bon).kl_bound_nats(4.0) == pytest.approx(np.log(4) - 0.75)
    assert opened(soft_bon).kl_bound_nats(4.0) is None


@pytest.mark.parametrize("n", [0, 8])
def test_budgets_are_met_by_the_kl_of_the_policy(n: int) -> None:
    selection = opened(soft_bon, n=n)
    places = find_places(selection, soft_bon.KNOB, [0.1, 0.4, 3.5], SAMPLED, None)
    for place, kl_nats in zip(places[:3], [0.1, 0.225, 0.4], strict=True):
        assert place.knob_value is not None
        found = float(selection.kl(SAMPLED, place.knob_value).mean())
        assert found == pytest.approx(kl_nats, rel=1e-4)
    assert places[-1] == Place(3.5, None)  # beyond best of 8, and beyond what 64 samples carry


def test_where_kl_falls_again_budgets_are_met_before_its_peak() -> None:
    """Pessimism of 16 samples, whose KL falls below beta = .4: .05 nats at its smallest."""
    scored = samples_of_reference(np.random.default_rng(0).normal(size=(24, 512)))
    selection = opened(itp, n=16)
    assert float(selection.kl(scored, itp.KNOB.low).mean()) < 0.1
    for budgets in ([0.1, 0.25], [0.1, 0.25, 0.5]):
        places = find_places(selection, itp.KNOB, budgets, scored, None)
        betas = [place.knob_value or 0.0 for place in places]
        assert len(betas) == 2 * len(budgets) - 1
        assert betas == sorted(betas, reverse=True) and min(betas) > 0.4
        kl_nats = [float(selection.kl(scored, beta).mean()) for beta in betas]
        assert kl_nats[::2] == pytest.approx(budgets, rel=1e-4)
    (beyond,) = find_places(selection, itp.KNOB, [0.8], scored, None)
    assert beyond == Place(0.8, None)  # .72 is all there is


def test_best_of_n_is_placed_by_a_kl_that_knows_ties() -> None:
    binary_BN = np.tile(np.arange(40) % 10 < 3, (2, 1)).astype(float)
    places = find_places(
        opened(bon), bon.KNOB, [0.5, 1.1, 2.0], samples_of_reference(binary_BN), None
    )
    assert [place.kl_target_nats for place in places] == [0.5, None, 1.1, 2.0]
    assert places[-1].knob_value is None  # log(1 / .3) = 1.204 is all there is
    assert places[2].knob_value == 11.0  # (1 - x) log((1 - x) / .3) + x log(x / .7), x = .7^n
    # by the bound, n = 8 would have 1.204


def listed(tail: float) -> ScoredPool:
    """Common responses as in the pool, and a rare one that the proxy likes by far."""
    proxy_BR = np.concatenate([PROXY_BN, np.full((24, 1), 12.0)], axis=1)
    reference_BR = np.full(proxy_BR.shape, (1 - tail) / 64)
    reference_BR[:, -1] = tail
    return ScoredPool(proxy_BR, reference_BR)


def exact_kl(selection: Selection, every: ScoredPool, knob: float) -> Floats:
    return kl_listed(selection.policy(every, knob), every.reference_BN)


def test_where_responses_are_listed_budgets_are_met_exactly() -> None:
    selection, every = opened(soft_bon), listed(1e-4)
    places = find_places(selection, soft_bon.KNOB, [0.5, 2.0, 6.0], SAMPLED, every)
    for place in places:
        assert place.knob_value is not None
        if place.kl_target_nats is not None:
            kl = float(exact_kl(selection, every, place.knob_value).mean())
            assert kl == pytest.approx(place.kl_target_nats, rel=1e-4)
    # the pool never drew the tail and knows nothing of it
    last = places[-1].knob_value or 0.0
    assert float(selection.kl(SAMPLED, last).mean()) < 1.5


def test_values_that_a_knob_names_have_a_place_whatever_their_kl() -> None:
    """Each once, and not where the pool is too small for them."""
    known = bon.KNOB.model_copy(update={"also": (1.0, 4.0, 1e6)})
    plain = find_places(opened(bon), bon.KNOB, [0.8], SAMPLED, None)
    assert 4.0 not in {one.knob_value for one in plain}
    found = find_places(opened(bon), known, [0.8], SAMPLED, None)
    assert found[: len(plain)] == plain
    assert found[len(plain) :] == [Place(None, 1.0), Place(None, 4.0)]
    met = plain[0].knob_value
    assert met is not None
    again = find_places(
        opened(bon), bon.KNOB.model_copy(update={"also": (met,)}), [0.8], SAMPLED, None
    )
    assert again == plain


def test_whole_knobs_use_the_list_as_well() -> None:
    every = listed(0.4)
    places = find_places(opened(bon), bon.KNOB, [0.8], SAMPLED, every)
    # with 40 % of tail, F = .6 below it: log(1 / .4) = .92 is nearly all there is
    found = float(exact_kl(opened(bon), every, places[0].knob_value or 0.0).mean())
    assert found == pytest.approx(0.8, abs=0.06)
    falling = Knob(name="n", low=2.0, high=3.0, raises_kl=True, whole=True)
    assert find_places(opened(bon), falling, [5.0], SAMPLED, every) == [Place(5.0, None)]
