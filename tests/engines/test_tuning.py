"""A method that tunes itself: by gold of the other half of the prompts, and no further."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from overopt.catalog import lookup, systems
from overopt.engines.method.selection import OpenedSelection
from overopt.engines.rehearsals.method import rehearse
from overopt.engines.selection import Selection, find_places, tuned
from overopt.engines.walk.placing import Place
from overopt.errors import UserError
from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.selection import bon, soft_bon
from overopt.spec.declare import Knob, knob
from overopt.stats.arrays import Floats
from overopt.stats.pools.listed import kl_listed

PROXY_BN = np.random.default_rng(0).normal(size=(8, 64))
POOL = samples_of_reference(PROXY_BN)
GOLD_BN = np.random.default_rng(1).normal(size=(8, 64))
COLD = knob("temperature", low=0.1, high=100.0, raises_kl=False)


def opened(tune: Any, shipped: Any = soft_bon) -> OpenedSelection:
    """A shipped method that says by gold how far it goes."""
    names = ("weights", "samples_used", "unbiased_weights")
    parts = {name: getattr(shipped, name) for name in names if hasattr(shipped, name)}
    module: Any = SimpleNamespace(__name__="tuned", tune=tune, **parts)
    return OpenedSelection(module, shipped.Config())


def largest(config: object, pool: ScoredPool, gold_BN: Floats) -> float:
    return float(gold_BN.max())


def limited(method: OpenedSelection, knob: Knob, gold_BN: Floats) -> Selection:
    whole = Selection(method, lambda: np.random.default_rng(0))
    return whole.limited(tuned(method, knob, POOL, gold_BN))


def test_each_half_is_tuned_by_the_other() -> None:
    seen: list[tuple[Floats, Floats]] = []

    def tune(config: object, pool: ScoredPool, gold_BN: Floats) -> float:
        seen.append((pool.proxy_BN, gold_BN))
        return float(gold_BN.max())

    gold_BN = GOLD_BN.copy()
    gold_BN[2, 5], gold_BN[3, 7] = 6.0, 9.0
    limits = tuned(opened(tune), COLD, POOL, gold_BN)
    assert limits.knob_B.tolist() == [9.0, 6.0] * 4  # even prompts by odd ones, and the reverse
    assert limits.furthest == 6.0  # a temperature: the colder, the further
    for proxy_BN, told_BN in seen:
        parity = 0 if (told_BN == gold_BN[::2]).all() else 1
        np.testing.assert_array_equal(proxy_BN, PROXY_BN[parity::2])
        np.testing.assert_array_equal(told_BN, gold_BN[parity::2])
    # own gold moves nothing
    other = tuned(opened(tune), COLD, POOL, np.where(np.arange(8)[:, None] == 3, 50.0, gold_BN))
    assert other.knob_B[1::2].tolist() == limits.knob_B[1::2].tolist()


def test_answers_are_brought_into_the_range() -> None:
    for answer, expected in ((1e-9, 0.1), (1e9, 100.0)):
        limits = tuned(opened(lambda *_, a=answer: a), COLD, POOL, GOLD_BN)
        assert limits.knob_B.tolist() == [expected] * 8
    with pytest.raises(ValueError, match="tunes itself to nan"):
        tuned(opened(lambda *_: float("nan")), COLD, POOL, GOLD_BN)
    with pytest.raises(ValueError, match="there is one"):
        tuned(opened(largest), COLD, samples_of_reference(PROXY_BN[:1]), GOLD_BN[:1])


def test_no_prompts_policy_goes_beyond_its_limit() -> None:
    gold_BN = GOLD_BN.copy()
    gold_BN[0, 0], gold_BN[1, 0] = 4.0, 8.0  # even prompts 8, odd prompts 4
    selection, free = limited(opened(largest), COLD, gold_BN), opened(largest)
    for temperature in (20.0, 6.0, 0.5):
        found_BN = selection.policy(POOL, temperature)
        for rows, limit in ((slice(0, 8, 2), 8.0), (slice(1, 8, 2), 4.0)):
            expected_BN = free.weights(
                samples_of_reference(PROXY_BN[rows]), max(temperature, limit)
            )
            np.testing.assert_array_equal(found_BN[rows], expected_BN)
        kl_B = kl_listed(found_BN, POOL.reference_BN)
        assert selection.kl(POOL, temperature) == pytest.approx(kl_B)


def test_budgets_beyond_are_out_of_reach_and_the_end_has_a_place() -> None:
    selection = limited(opened(lambda *_: 1.0), COLD, GOLD_BN)
    end_nats = float(selection.kl(POOL, 1.0).mean())
    places = find_places(selection, COLD, [0.1, 0.3, 1.0], POOL, None)
    assert 0.3 < end_nats < 1.0
    assert places[-2:] == [Place(1.0, None), Place(None, 1.0)]
    for place, kl_nats in zip(places[:3:2], (0.1, 0.3), strict=True):
        assert place.kl_target_nats == kl_nats and (place.knob_value or 0.0) > 1.0


def test_a_whole_knob_stops_at_a_whole_number() -> None:
    selection = limited(opened(lambda *_: 5.7, bon), bon.KNOB, GOLD_BN)
    assert selection.limits is not None and selection.limits.furthest == 5.0
    best = OpenedSelection(bon, bon.Config())
    np.testing.assert_array_equal(selection.policy(POOL, 9.0), best.weights(POOL, 5.0))
    np.testing.assert_array_equal(selection.weights(POOL, 9.0), best.unbiased_weights(POOL, 5.0))
    places = find_places(selection, bon.KNOB, [0.2, 3.0], POOL, None)
    assert places[-1] == Place(None, 5.0) and places[0].knob_value == 2.0
    assert selection.samples_drawn(POOL, 9.0) == 8 * 5
    assert selection.samples_drawn(POOL, 3.0) == 8 * 3


TUNED = "def tune(config: Config, pool: ScoredPool, gold_BN: object) -> float:\n    return 2.0\n"


@pytest.mark.parametrize(
    ("declared", "added", "said"),
    [
        ("none", TUNED, 'tune is handed gold.*USES_GOLD = "selection"'),
        ("selection", TUNED.replace(", gold_BN: object", ""), r"tune is called as tune\(config, p"),
    ],
)
def test_gold_is_for_files_that_say_so(
    declared: str, added: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        systems.method(_own(tmp_path, declared, added))


@pytest.mark.parametrize("answer", ["-1.0", "float('nan')"])
def test_a_rehearsal_tries_it(answer: str, tmp_path: Path) -> None:
    rehearse(systems.method(_own(tmp_path, "selection", TUNED)))
    wrong = _own(tmp_path, "selection", TUNED.replace("2.0", answer))
    with pytest.raises(UserError, match=r"tune returns .*, not a value of the knob"):
        rehearse(systems.method(wrong))


def _own(folder: Path, uses_gold: str, added: str) -> str:
    text = lookup.files("methods")["soft-bon"].read_text(encoding="utf-8")
    path = folder / "mine.py"
    path.write_text(text.replace('"none"', f'"{uses_gold}"') + "\n\n" + added)
    return str(path)
