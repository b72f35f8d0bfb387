"""Tables: the words of a small one are fixed, missing is a dash, LaTeX and rich are escaped."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pandas as pd
from rich.console import Console

from overopt.report import run_table
from overopt.report.curves import group_points
from overopt.report.points import add_labels
from overopt.report.results import read_results
from overopt.report.tables import (
    TextTable,
    escape_latex,
    show_contrasts,
    show_gaps,
    show_number,
    summarize,
    write_latex,
)
from overopt.spec.columns import POINT_COLUMNS

GOLDEN = Path(__file__).parent / "golden_run_table.txt"


def small_points() -> pd.DataFrame:
    """Two curves: one of three seeds with a missed budget, one that failed."""
    rows: list[dict[str, object]] = []
    for seed, gold in enumerate((1.0, 1.2, 1.4)):
        cell = {"task": "t", "world": 0, "gold": "g", "method": "dpo", "proxy": "single",
                "noise": "0.25", "seed": seed}  # fmt: skip
        ok = {"status": "ok", "kl_estimator": "rb"}
        rows += [
            cell | ok | {"kl_nats": 0.0, "gold_mean": 0.0, "proxy_mean": 0.0},
            cell | ok | {"kl_target_nats": 4.0, "kl_nats": 4.0, "gold_mean": gold,
                         "proxy_mean": 2.0},
            cell | ok | {"kl_target_nats": 9.0, "kl_nats": 9.0, "gold_mean": gold - 1.5,
                         "proxy_mean": 2.5},
            cell | {"status": "unreached", "kl_target_nats": 16.0},
        ]  # fmt: skip
    rows.append(
        {"task": "t", "world": 0, "gold": "g", "method": "[red]ppo", "proxy": "uwo", "noise": "0",
         "seed": 0, "status": "failed"}
    )  # fmt: skip
    return pd.DataFrame(rows, columns=list(POINT_COLUMNS))


def test_the_run_table_reads_as_the_golden_file_says() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(run_table(small_points()))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert "\n".join(lines).strip() == GOLDEN.read_text().strip()


def test_a_narrow_screen_breaks_names_and_never_numbers() -> None:
    points = small_points().assign(method="a-method-with-a-long-name", proxy="a-long-proxy")
    wide, narrow = (Console(width=width, record=True, file=io.StringIO()) for width in (200, 72))
    for console in (wide, narrow):
        console.print(run_table(points))
    rows = [line for line in wide.export_text().splitlines() if "±" in line]
    numbers = [word for line in rows for word in line.split() if word[-1].isdigit()]
    shown = narrow.export_text()
    assert "…" not in shown
    assert len(numbers) > 4
    for number in numbers:
        assert number in shown


def test_the_run_table_takes_points_as_read(run_root: Path) -> None:
    points = read_results([run_root]).points
    assert run_table(points).row_count == 8
    assert run_table(points.drop(columns=["run", "method_label", "proxy_label"])).row_count == 8


def test_the_run_table_keeps_runs_apart_that_stand_side_by_side() -> None:
    points = small_points()
    both = pd.concat([points.assign(version="run 1"), points.assign(version="run 2")])
    table = run_table(both)
    assert table.row_count == 2 * run_table(points).row_count
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table)
    shown = console.export_text()
    assert "dpo, run 1" in shown
    assert "dpo, run 2" in shown


def test_everything_missing_is_listed(run_root: Path) -> None:
    groups = group_points(read_results([run_root]).points)
    rows = {row[:3]: row[3] for row in show_gaps(groups).rows}
    assert rows["bon", "single", "0"] == "8, 16, 32 nats out of reach"
    assert rows["ipo", "wco", "0.25"] == "16, 32 nats out of reach"
    notes = [row[3] for row in show_gaps(groups).rows if row[:3] == ("ipo", "single", "0.25")]
    assert notes == ["32 nats missed by some seeds", "failed: seed 3"]


def test_the_task_is_named_where_there_are_several() -> None:
    points = small_points()
    two = pd.concat([points, points.assign(task="u")])
    assert summarize(group_points(add_labels(two))).header[0] == "task"


def test_verdicts_are_put_in_words(run_root: Path) -> None:
    table = show_contrasts(read_results([run_root]))
    verdicts = {row[:3]: row[4] for row in table.rows}
    assert verdicts["bon", "single", "0"] == "rises, then falls"
    assert verdicts["ipo", "wco", "0.25"] == "rises, no fall shown"
    fall = table.header.index("fall, over seeds")
    assert table.rows[0][fall] == "−0.60 [−0.90, −0.30]"


def test_what_a_copy_of_a_run_says_again_is_shown_once(run_root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run_root, copy)
    alone, both = (show_contrasts(read_results(roots)) for roots in ([run_root], [run_root, copy]))
    assert len(both.rows) == len(alone.rows) > 0


def test_a_fall_from_the_last_budget_to_itself_is_no_number(run_root: Path) -> None:
    results = read_results([run_root])
    for run in results.runs:
        falls = [name for name in run.contrasts.columns if name.startswith("fall_")]
        run.contrasts[falls] = 0.0
    table = show_contrasts(results)
    fall, rise = table.header.index("fall, over seeds"), table.header.index("rise, over seeds")
    assert {row[fall] for row in table.rows} == {row[fall + 1] for row in table.rows} == {"–"}
    assert "–" not in {row[rise] for row in table.rows}


def test_numbers_have_a_true_minus_and_missing_is_a_dash() -> None:
    assert show_number(-1.234, 2) == "−1.23"
    assert show_number(-0.001, 2) == "0.00"
    assert show_number(None, 2) == show_number(float("nan"), 2) == "–"


def test_latex_is_escaped(tmp_path: Path) -> None:
    assert escape_latex("a_b & 5 % \\input{x}") == r"a\_b \& 5 \% \textbackslash{}input\{x\}"
    table = TextTable("x", "Title", ("name", "value"), (("a_1", "−0.5"), ("$2", "3")), words=1)
    text = write_latex(table, tmp_path / "x.tex").read_text()
    assert "\\begin{longtable}{lr}" in text
    assert "a\\_1 & $-$0.5 \\\\" in text
    assert "\\$2 & 3 \\\\" in text
    assert text.count("\\toprule") == text.count("\\bottomrule") == 1
