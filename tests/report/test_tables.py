"""Tables: the words of a small one are fixed, missing is a dash, LaTeX and rich are escaped."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from overopt.report.groups import group_points, group_results
from overopt.report.stored.points import add_labels, check_points
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results
from overopt.report.tables.peaks import show_contrasts, show_gaps, show_worlds, summarize
from overopt.report.tables.terminal import run_table
from overopt.report.tables.text import (
    TextTable,
    escape_latex,
    show_number,
    show_spread,
    write_latex,
)
from overopt.spec.columns import POINT_COLUMNS

from .synthetic import write_runs

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


def as_results(points: pd.DataFrame, version: str = "") -> Results:
    """Points as if read, without any stored test."""
    checked = check_points(points.drop(columns="version", errors="ignore"), "the points")
    versions = points["version"].to_numpy() if "version" in points else version
    return Results((), add_labels(checked.assign(version=versions)), ())


def shown(results: Results, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(run_table(results))
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()).strip()


@pytest.mark.parametrize(
    ("mean", "low", "high", "shown_as"),
    [
        (0.3, 0.1, 0.5, "0.30 [0.10, 0.50]"),
        (-0.0002, -0.0046, 0.0043, "0.000 [−0.005, 0.004]"),
        (0.017, -0.0043, 0.0387, "0.017 [−0.004, 0.039]"),
        (0.3, 0.0003, 0.6, "0.3000 [0.0003, 0.6000]"),
        (1.0, 0.0, 2.0, "1.00 [0.00, 2.00]"),
        (1.0, None, None, "1.00"),
    ],
)
def test_bounds_are_not_shown_as_0_where_they_are_not(
    mean: float, low: float | None, high: float | None, shown_as: str
) -> None:
    assert show_spread(mean, low, high, 2) == shown_as


def test_the_run_table_reads_as_the_golden_file_says() -> None:
    assert shown(as_results(small_points()), 120) == GOLDEN.read_text().strip()


def test_a_narrow_screen_breaks_names_and_never_numbers() -> None:
    points = small_points().assign(method="a-method-with-a-long-name", proxy="a-long-proxy")
    wide, narrow = (shown(as_results(points), width) for width in (200, 80))
    rows = [line for line in wide.splitlines() if "±" in line]
    numbers = [word for line in rows for word in line.split() if word[-1].isdigit()]
    assert "…" not in narrow
    assert len(numbers) > 4
    for number in numbers:
        assert number in narrow


def test_the_run_table_takes_results_as_read(run_root: Path) -> None:
    assert run_table(read_results([run_root])).row_count == 8


def test_the_run_table_keeps_runs_apart_that_stand_side_by_side() -> None:
    points = small_points()
    both = pd.concat([points.assign(version="run 1"), points.assign(version="run 2")])
    table = run_table(as_results(both))
    assert table.row_count == 2 * run_table(as_results(points)).row_count
    text = shown(as_results(both), 120)
    assert "dpo, run 1" in text
    assert "dpo, run 2" in text


def test_everything_missing_is_listed(run_root: Path) -> None:
    groups = group_results(read_results([run_root]))
    rows = {row[:3]: row[3] for row in show_gaps(groups).rows}
    assert rows["bon", "single", "0"] == "8, 16, 32 nats out of reach"
    assert rows["ipo", "wco", "0.25"] == "16, 32 nats out of reach"
    notes = [row[3] for row in show_gaps(groups).rows if row[:3] == ("ipo", "single", "0.25")]
    assert notes == [
        "32 nats missed by some seeds",
        "failed: seed 3",
        "no peak or end: 4 of 5 seeds were measured",
    ]


def test_the_task_is_named_where_there_are_several() -> None:
    points = small_points()
    two = pd.concat([points, points.assign(task="u")])
    assert summarize(group_points(add_labels(two))).header[0] == "task"


def test_verdicts_are_put_in_words(run_root: Path) -> None:
    table = show_contrasts(group_results(read_results([run_root])))
    verdicts = {row[:3]: row[4] for row in table.rows}
    assert verdicts["bon", "single", "0.25"] == "rises, then falls"  # peaks at d = 1.1
    assert verdicts["bon", "wco", "0"] == "rises, no fall shown"  # peaks at d = 4.5, out of reach
    assert ("ipo", "single", "0.25") not in verdicts  # a seed failed: neither peak nor end


def test_what_a_copy_of_a_run_says_again_is_shown_once(run_root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run_root, copy)
    alone, both = (
        show_contrasts(group_results(read_results(roots)))
        for roots in ([run_root], [run_root, copy])
    )
    assert both.rows == alone.rows
    assert len(alone.rows) > 0


def test_a_fall_from_the_last_budget_to_itself_is_no_number(run_root: Path) -> None:
    table = show_contrasts(group_results(read_results([run_root])))
    fall, peak, end = (table.header.index(name) for name in ("fall", "KL at peak", "KL at end"))
    at_end = [row for row in table.rows if row[peak] == row[end]]
    assert at_end
    assert {row[fall] for row in at_end} == {"–"}
    assert "–" not in {row[fall] for row in table.rows if row not in at_end}


WORLDS = """\
proxy,noise,proxy_start,proxy_width,comparisons,worlds,seeds,peak_kl_target_nats,peak_kl_nats,\
peak_gold,peak_gold_across_low,peak_gold_across_high,peak_gold_within_low,peak_gold_within_high,\
end_kl_target_nats,end_kl_nats,end_gold,end_gold_across_low,end_gold_across_high,\
end_gold_within_low,end_gold_within_high,fall,fall_across_low,fall_across_high,fall_within_low,\
fall_within_high,over,rises,falls
single,0,scratch,32,2048,3,15,4.0,3.98,0.9,0.5,1.3,0.8,1.0,16.0,15.7,0.3,-0.4,1.0,0.1,0.5,\
-0.6,-1.3,0.1,-0.8,-0.4,worlds,True,False
single,0.25,scratch,32,2048,2,10,4.0,3.98,0.9,,,0.8,1.0,4.0,3.98,0.9,,,0.8,1.0,,,,,,\
these worlds,True,False
"""


def test_means_over_worlds_show_both_intervals(tmp_path: Path) -> None:
    noises = ("0", "0.25")
    (run,) = write_runs(tmp_path, methods=("dpo",), proxies=("single",), noises=noises, failed=())
    assert show_worlds(group_results(read_results([run]))).rows == ()
    (run / "worlds.csv").write_text(WORLDS)
    table = show_worlds(group_results(read_results([run])))
    assert table.rows == (
        ("dpo", "single", "0", "3", "15", "rises, no fall shown", "4 → 3.98",
         "0.90 [0.50, 1.30] (0.80, 1.00)", "16 → 15.7", "0.30 [−0.40, 1.00] (0.10, 0.50)",
         "−0.60 [−1.30, 0.10] (−0.80, −0.40)"),
        ("dpo", "single", "0.25", "2", "10", "rises, no fall shown", "4 → 3.98",
         "0.90 (0.80, 1.00)", "4 → 3.98", "0.90 (0.80, 1.00)", "–"),
    )  # fmt: skip


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


def test_the_run_table_tells_each_row_how_far_gold_rises_and_falls() -> None:
    """Gold of three seeds: 1.2 at 4 nats, 1.2 - 1.5 = -0.3 at 9 nats, in every seed."""
    text = shown(as_results(small_points()), 200)
    told = "rises to 1.20 at 4 nats, then falls by 1.50 up to 9 nats (exploratory)"
    assert f"dpo single 0.25: {told} " in " ".join(text.split())
    assert "ppo uwo 0: rises" not in text, "a cell that failed has no verdict"


def test_the_run_table_has_columns_for_sizes_that_vary() -> None:
    small = small_points().assign(proxy_start="scratch", proxy_width=16.0, comparisons=512.0)
    both = pd.concat([small, small.assign(proxy_width=32.0)], ignore_index=True)
    lines = shown(as_results(both), 200).splitlines()
    assert lines[1].split()[:5] == ["method", "proxy", "width", "noise", "n"]
    rows = [line.split()[:4] for line in lines if line.startswith("dpo") and "±" in line]
    assert rows == [["dpo", "single", "16", "0.25"], ["dpo", "single", "32", "0.25"]]
    assert "pairs" not in lines[1], "it is the same everywhere"


def test_a_peak_at_the_end_has_no_fall_to_tell() -> None:
    points = small_points()
    first = points[points["kl_target_nats"].isna() | (points["kl_target_nats"] == 4.0)]
    text = " ".join(shown(as_results(first), 200).split())
    assert "dpo single 0.25: rises to 1.20 at 4 nats, where the run ends (exploratory) " in text
