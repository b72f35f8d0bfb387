"""What is told of gold is marked by name in every figure and table of a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from overopt.report.groups import group_results
from overopt.report.stored.marking import mark_gold
from overopt.report.stored.methods import marked_methods
from overopt.report.stored.reading import read_results
from overopt.report.writing import compose_report


def told(run: Path, part: str, how: dict[str, Any]) -> None:
    """A run whose record says more of its first method or proxy."""
    place = run / "run.json"
    record = json.loads(place.read_text())
    record["spec"].setdefault(part, [{"name": "single"}])[0].update(how)
    place.write_text(json.dumps(record))


@pytest.mark.parametrize("how", [{"uses_gold": "selection"}, {"step_scores": True}])
def test_a_method_that_uses_gold_is_marked(run: Path, how: dict[str, Any]) -> None:
    told(run, "methods", how)
    plain = read_results([run])
    marked = mark_gold(plain)
    assert set(marked.points["method_label"]) == {"dpo, uses gold"}
    assert set(marked.points["method"]) == {"dpo"}, "its name stays as it is"
    assert set(plain.points["method_label"]) == {"dpo"}, "what was read stays as it is"
    assert {group.method for group in group_results(marked)} == {"dpo, uses gold"}
    assert marked.families.keys() == {"dpo, uses gold"}
    assert dict(marked.labeled_runs()).keys() == {"dpo, uses gold"}


def test_what_tells_labels_apart_comes_after_the_mark(run: Path) -> None:
    told(run, "methods", {"uses_gold": "training"})
    results = read_results([run])
    results.points["method_label"] += ", along knob"
    assert set(mark_gold(results).points["method_label"]) == {"dpo, uses gold, along knob"}


def test_a_proxy_that_uses_gold_is_marked_and_its_method_is_not(run: Path) -> None:
    told(run, "proxies", {"uses_gold": "training"})
    points = mark_gold(read_results([run])).points
    assert set(points["proxy_label"]) == {"single, uses gold"}
    assert set(points["method_label"]) == {"dpo"}


def test_what_is_told_nothing_has_no_mark(run: Path) -> None:
    plain = read_results([run])
    assert mark_gold(plain).points.equals(plain.points)
    assert marked_methods(plain.runs[0].record, ["dpo", "dpo"]) == "dpo"


def test_a_report_shows_the_mark_in_tables_and_page(run: Path) -> None:
    told(run, "methods", {"uses_gold": "training"})
    report = compose_report(mark_gold(read_results([run])))
    assert "dpo, uses gold" in report.page
    for frame in report.frames.values():
        if "method" in frame.columns and len(frame):
            assert set(frame["method"]) == {"dpo, uses gold"}
