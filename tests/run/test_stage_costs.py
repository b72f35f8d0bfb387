"""What the artifacts behind a run have cost, as its record tells it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from overopt.execution.costs import Receipt
from overopt.execution.node import ancestry
from overopt.execution.store import Store

from .specs import run_spec
from .test_records import _found, _write


def test_a_run_tells_what_its_artifacts_cost_each_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted receipts: what cells share counts once, and what nobody noted is no zero."""
    run = run_spec()
    found = _found(run, store)
    keys = {made.key: made.name for made in ancestry([one.points for one in found if one.points])}
    spent = Receipt("", "", 1.0, 0.25, 1, 1, 1, "", 0.0, {})

    def receipt(store: Store, key: str) -> Receipt | None:
        known = {"initial": None, "pool": replace(spent, cpu_s=100.0)}
        return known.get(keys[key], spent)

    monkeypatch.setattr(Store, "receipt", receipt)
    (folder,) = _write(run, found, store, tmp_path)
    pool, *rest = json.loads((folder / "run.json").read_text())["stages"]
    counts = Counter(keys.values())
    assert pool == {"stage": "pool", "artifacts": 1, "cpu_s": 100.0, "unknown": 0}
    assert {one["stage"]: one["artifacts"] for one in rest} == counts - Counter(["pool"])
    for one in rest:
        assert one["unknown"] == (one["stage"] == "initial")
        lost = one["stage"] == "initial"
        assert one["cpu_s"] == (None if lost else 0.25 * one["artifacts"]), "nobody knows is no 0"
