"""The committed tables are those of the committed results: the golden leaderboard test."""

from __future__ import annotations

import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from overopt.commands.leaderboard.build import rank_all
from overopt.commands.leaderboard.command import reader_of
from overopt.leaderboard.ranking.shown import Leaderboard
from overopt.leaderboard.site.writing import MARKDOWN, TABLE, compare_tables, write_site

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def found(committed_results: Path) -> Leaderboard:
    """Everything ranked anew."""
    read = reader_of(ROOT / "verification")
    return rank_all(committed_results, ROOT / "submissions", read, lambda what, done, of: None)


def test_the_committed_tables_are_those_of_the_results(found: Leaderboard) -> None:
    assert compare_tables(found, ROOT / "results") == [], "give: bench leaderboard build --publish"


def test_the_site_comes_out_the_same_and_holds_the_same_tables(
    found: Leaderboard, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        written = write_site(found, tmp_path / name)
        assert all(path.is_file() for path in written)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir())
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (tmp_path / "one" / MARKDOWN).read_bytes() == (ROOT / MARKDOWN).read_bytes()


def test_a_changed_number_a_missing_row_and_a_changed_word_are_told(
    found: Leaderboard, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    committed = (ROOT / "results" / TABLE).read_text()
    shutil.copy(ROOT / MARKDOWN, tmp_path / MARKDOWN)
    lines = committed.splitlines(keepends=True)

    def told(text: str) -> list[str]:
        (results / TABLE).write_text(text)
        return compare_tables(found, results)

    assert told(committed) == []
    # another processor may round the last digit otherwise; that is no difference
    cells = lines[1].split(",")
    number = next(i for i, cell in enumerate(cells) if cell.startswith("0.") and len(cell) >= 8)
    rounded = [*cells]
    rounded[number] = f"{float(cells[number]) * (1 + 2e-6):.9f}"
    assert told("".join([lines[0], ",".join(rounded), *lines[2:]])) == []
    rounded[number] = f"{float(cells[number]) * 1.001:.9f}"
    assert "instead of" in told("".join([lines[0], ",".join(rounded), *lines[2:]]))[0]
    assert "lines, and the results make" in told("".join(lines[:-1]))[0]
    assert told(committed.replace("claimed", "verified"))
    (tmp_path / MARKDOWN).write_text((ROOT / MARKDOWN).read_text().replace("claimed", "verified"))
    assert any(MARKDOWN in sentence for sentence in told(committed))


def test_a_board_calculated_anew_by_pandas_scipy_and_statsmodels(
    committed_results: Path, found: Leaderboard
) -> None:
    """Gold at 4 nats of the offline board of world 0: no line of the package takes part.

    Of those that every seed brought there.
    """
    names = ("dpo", "ipo", "mapo")
    read = [pd.read_csv(path, dtype={"noise": str}) for path in
            (committed_results / "reviews").rglob("points.csv")]  # fmt: skip
    points = pd.concat(read, ignore_index=True).query("world == 0 and noise == '0'")
    points = points[points["method"].isin(names)]
    points = points.query("status == 'ok' and proxy == 'single'")
    points = points.drop_duplicates(["method", "seed", "kl_nats", "gold_mean"])
    gold = {}
    for (method, seed), rows in points.groupby(["method", "seed"]):
        rows = rows.sort_values("kl_nats")
        gold[method, seed] = np.interp(2.0, np.sqrt(rows["kl_nats"]), rows["gold_mean"])
    by_seed = {name: np.array([gold[name, seed] for seed in range(5)]) for name in names}
    couples = list(combinations(by_seed, 2))
    p = [stats.ttest_rel(by_seed[a], by_seed[b]).pvalue for a, b in couples]
    corrected = multipletests(p, method="holm")[1]
    holm = {frozenset(pair): one for pair, one in zip(couples, corrected, strict=True)}
    (board,) = [one for one in found.boards
                if one.title == "offline: reviews, noise 0, world 0, 5 seeds"]  # fmt: skip
    at_4 = {row["entry"]: row for row in board.rows if row["at_kl_nats"] == 4.0}
    shown = {name: row for name, row in at_4.items() if row["score"] is not None}
    assert set(shown) == set(by_seed)
    for name, row in shown.items():
        assert row["score"] == pytest.approx(by_seed[name].mean(), rel=1e-6)
        middle = np.sort(by_seed[name])[1:4] @ [0.75, 1.0, 0.75] / 2.5
        assert row["iqm"] == pytest.approx(middle, rel=1e-6)
        if row["reference"] != name:
            assert row["p_holm"] == pytest.approx(holm[frozenset((name, row["reference"]))], 1e-4)
