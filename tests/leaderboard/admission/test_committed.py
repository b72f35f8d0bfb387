"""The committed ledger is that of the committed run folders."""

from __future__ import annotations

from pathlib import Path

from overopt.catalog import lookup
from overopt.commands.admit.admit import PAGE, TABLE, judge_runs
from overopt.leaderboard.admission.ledger import compare_ledger

ROOT = Path(__file__).parents[3]


def test_the_committed_ledger_is_that_of_the_run_folders(
    committed_results: Path, tmp_path: Path
) -> None:
    rows = judge_runs(lookup.shipped("tasks"), committed_results / "admission")
    assert compare_ledger(rows, ROOT / TABLE, ROOT / PAGE) == [], "give: bench admit --publish"
    # every shipped task is in it, and those that take a GPU say that nobody has run them
    assert {row.task for row in rows} == set(lookup.shipped("tasks"))
    changed = tmp_path / "admission.csv"
    changed.write_text((ROOT / TABLE).read_text().replace("NO RESULT", "PASS"))
    assert "instead of" in compare_ledger(rows, changed, ROOT / PAGE)[0]
