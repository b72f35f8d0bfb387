"""``bench compare`` as a user meets it: the answer first, files, JSON, and one-sentence errors."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import overopt
from overopt.commands.compare import compare as compare_command
from overopt.errors import UserError
from overopt.report.comparison.files import comparison_latex
from overopt.report.comparison.runs import compare
from overopt.report.comparison.screen import print_comparison
from overopt.report.stored.selection import EVERYTHING, Selection

from .drawn import write_run


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three methods that differ, one that misses 4 nats."""
    root = tmp_path_factory.mktemp("results")
    for name, height in (("low_1", 0.3), ("middle", 0.33), ("high", 0.9)):
        write_run(root, name, height)
    write_run(root, "short", 0.9, reach={0: 1.0})
    return root


def printed(root: Path, width: int = 100, **asked: Any) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    print_comparison(compare(root, **asked), console)
    return console.export_text().splitlines()


def test_the_first_line_answers_the_question(root: Path) -> None:
    lines = printed(root)
    assert lines[0].startswith("high is best at 4 nats; the difference to middle, the next, is 1.")
    assert "p < 0.001 after Holm." in "".join(lines[:2])
    assert all(len(line) <= 100 for line in lines)
    (row,) = (line for line in lines if line.startswith("middle"))
    assert re.split(r"\s{2,}", row.strip())[2:4] == ["2–3", "b"]
    assert any(line.startswith("short ") and "not ranked" in line for line in lines)
    assert any("seeds, prompts" in line for line in lines)


@pytest.mark.parametrize("metric", ["peak", "end", "hypervolume"])
def test_every_metric_fits_a_hundred_columns(root: Path, metric: str) -> None:
    lines = printed(root, metric=metric)
    if metric == "hypervolume":  # a method that stops early keeps its volume, and is ranked
        assert lines[0].startswith("No difference shown by hypervolume between high (highest ")
        assert "short: 3 budgets missed by some seeds" in lines
    else:
        assert lines[0].startswith("high is best ")
    assert all(len(line) <= 100 for line in lines)


def test_a_narrow_screen_cuts_no_number(root: Path) -> None:
    wide, narrow = printed(root), printed(root, width=80)
    numbers = re.compile(r"−?\d+\.\d+")
    for line in wide:
        if line.startswith("middle"):
            assert set(numbers.findall(line)) <= set(numbers.findall("\n".join(narrow)))


def test_files_hold_the_same_numbers(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert compare_command([root], 4.0, None, "gold-at-kl", EVERYTHING, False, out) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "compare.csv", "compare.json", "compare.tex", "pairs.csv", "profiles.csv",
    ]  # fmt: skip
    told = json.loads((out / "compare.json").read_text())
    (contest,) = told["contests"]
    with (out / "pairs.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(contest["pairs"]) == 3
    for row, pair in zip(rows, contest["pairs"], strict=True):
        assert float(row["p_holm"]) == pair["p_holm"]
        assert float(row["smallest_seen"]) == pair["smallest_seen"]
    with (out / "compare.csv").open(newline="") as stream:
        table = {row["method"]: row for row in csv.DictReader(stream)}
    assert table["short"]["rank_best"] == "" and table["short"]["ranked"] == "False"
    assert table["high"]["rank_best"] == table["high"]["rank_worst"] == "1"
    assert not list(tmp_path.glob("**/.writing-*"))


def test_a_comparison_is_repeated_to_the_byte(root: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        compare_command([root], 4.0, None, "peak", EVERYTHING, False, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_json_alone_is_printed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare_command([root], 4.0, "middle", "gold-at-kl", EVERYTHING, True, None)
    told = json.loads(capsys.readouterr().out)
    (contest,) = told["contests"]
    assert contest["verdict"].startswith("Against middle at 4 nats: better: high; ")
    assert contest["correction"] == "Holm, over the pairs with middle"
    assert {one["method"] for one in contest["methods"]} == {"high", "middle", "low_1", "short"}


def test_the_latex_table(root: Path) -> None:
    latex = comparison_latex(compare(root))
    assert "\\label{tab:compare-drawn-single-noise-0-world-0}" in latex
    assert "\\textbf{high}$^{\\mathrm{a}}$ & \\textbf{" in latex
    assert "low\\_1$^{\\mathrm{b}}$ & " in latex
    assert latex.count("\\textbf") == 2
    assert latex.count("\\toprule") == latex.count("\\bottomrule") == 1
    body = latex.split("\\midrule")[1].split("\\bottomrule")[0]
    assert all(row.count("&") == 4 for row in body.strip().split("\\\\") if row.strip())


def test_the_latex_table_against_a_baseline(root: Path) -> None:
    latex = comparison_latex(compare(root, baseline="middle"))
    assert "\\textbf{high} & \\textbf{" in latex and latex.count("\\textbf") == 2
    assert "Bold: shown to be better than middle." in latex and "mathrm" not in latex
    body = latex.split("\\midrule")[1].split("\\bottomrule")[0]
    assert all(row.count("&") == 3 for row in body.strip().split("\\\\") if row.strip())
    assert "\\begin{tabular}{lrrr}" in latex


def test_names_from_outside_stay_text(tmp_path: Path) -> None:
    write_run(tmp_path, "[red]x[/]", 0.3)
    write_run(tmp_path, "b & $y$", 0.6)
    assert "[red]x[/]" in "\n".join(printed(tmp_path))
    assert "\\& \\$y\\$" in comparison_latex(compare(tmp_path))
    write_run(tmp_path, "b\x1b[31m", 0.6)
    with pytest.raises(UserError, match="all of which print") as refused:
        compare(tmp_path)
    assert "\x1b" not in str(refused.value)


def test_python_gives_tables(root: Path) -> None:
    found = overopt.compare(str(root), at_kl=2, metric="gold-at-kl")
    assert found.verdict == str(found) and found.verdict.startswith("high is best at 2 nats")
    assert list(found.table["method"]) == ["high", "middle", "low_1", "short"]
    assert len(found.pairs) == 3 and found.pairs["p_holm"].notna().all()


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One method against three proxies, and one that sees none and is stored under one of them."""
    root = tmp_path_factory.mktemp("systems")
    for proxy, height in (("single", 0.3), ("uwo", 0.9), ("mean", 0.33)):
        write_run(root, "bon", height, proxy=proxy, family="selection", name=f"knob-{proxy}")
    write_run(root, "dpo", 0.31, family="pairs")
    return root


def test_systems_are_methods_with_the_proxies_that_they_see(systems: Path) -> None:
    found = overopt.compare(systems, systems=True, baseline="bon × single")
    assert set(found.table["method"]) == {"bon × single", "bon × uwo", "bon × mean", "dpo"}
    assert set(found.table["reference"]) == {"bon × single"}
    assert found.verdict.startswith("Against bon × single at 4 nats: better: bon × uwo")
    apart = overopt.compare(systems)
    assert len(apart.rankings) == 3, "without it, proxies never meet"


def test_systems_of_some_proxies_keep_methods_that_see_none(systems: Path) -> None:
    chosen = Selection(proxies=("uwo",))
    found = compare(systems, selection=chosen, systems=True)
    assert set(found.table["method"]) == {"bon × uwo", "dpo"}
    with pytest.raises(UserError, match="no method here sees it; there are: mean, single, uwo"):
        compare(systems, selection=Selection(proxies=("wco",)), systems=True)


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "overopt", *words], capture_output=True, text=True, check=False
    )


def test_mistakes_are_one_sentence(root: Path) -> None:
    done = bench("compare", str(root), "--metric", "best")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: --metric 'best'") and done.stderr.count("\n") == 1
