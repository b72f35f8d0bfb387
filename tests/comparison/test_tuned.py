"""What a comparison says of learning rates."""

from __future__ import annotations

from typing import Any

from overopt.report.comparison.tuned import rate_note


def record(*methods: tuple[str, str], tuned: bool | None = None) -> dict[str, Any]:
    named = [{"name": name, "family": family, "member": None} for name, family in methods]
    return {"spec": {"methods": named, **({} if tuned is None else {"tuned": tuned})}}


def test_untuned_methods_are_no_ranking() -> None:
    said = rate_note([record(("dpo", "pairs")), record(("rloo", "rollout"), ("bon", "selection"))])
    assert said.startswith("All methods were trained at the task's own learning rate")


def test_a_search_for_some_is_told_by_name() -> None:
    said = rate_note([record(("dpo", "pairs"), tuned=True), record(("ipo", "pairs"))])
    assert said == (
        "Learning rates were chosen for dpo; at the task's own, and so not on a par: ipo "
        "(bench tune)."
    )
    both = [record(("dpo", "pairs"), tuned=tuned) for tuned in (True, False)]
    assert "not on a par: dpo" in rate_note([*both, record(("ipo", "pairs"), tuned=True)])


def test_a_search_for_all_is_said() -> None:
    said = rate_note([record(("dpo", "pairs"), ("ipo", "pairs"), tuned=True)])
    assert said == "Each method's learning rate was chosen by the same search (bench tune)."


def test_nothing_is_said_where_less_than_two_were_trained() -> None:
    assert rate_note([record(("dpo", "pairs"), ("bon", "selection"))]) == ""
    merged = {"spec": {"methods": [{"name": "dera", "family": "merge", "member": {"name": "dpo"}}]}}
    assert rate_note([merged, record(("dpo", "pairs"))]) == ""
    assert rate_note([{}, {"spec": 1}, {"spec": {"methods": [3]}}]) == ""
