import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.errors import UserError
from overopt.own_scores.output import write_scores
from overopt.own_scores.scores_file import read_scores
from overopt.own_scores.staging import staging_folder
from overopt.stats.scored import analyze
from overopt.stats.scored_table import ScoredTable

GOLDEN = Path(__file__).parent / "golden_scores"


def test_written_files_hold_full_precision_and_the_same_bytes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    gold = generator.normal(size=20 * 16)
    prompt, sample = np.repeat(np.arange(20), 16), np.tile(np.arange(16), 20)
    proxy = gold + generator.normal(size=gold.size)
    reports = analyze(ScoredTable(prompt, sample, gold, {"proxy": proxy}))
    first = write_scores(tmp_path / "one", reports)
    again = analyze(ScoredTable(prompt[::-1], sample[::-1], gold[::-1], {"proxy": proxy[::-1]}))
    second = write_scores(tmp_path / "two", again)
    assert first.curve.read_bytes() == second.curve.read_bytes()
    assert first.fits.read_bytes() == second.fits.read_bytes()
    lines = first.curve.read_text().splitlines()
    assert lines[0] == (
        "proxy,n,kl_nats,kl_bound_nats,gold_mean,gold_se,proxy_mean,proxy_se,n_prompts,ess"
    )
    assert len(lines) == 1 + 16
    cells = lines[4].split(",")
    assert cells[:2] == ["proxy", "4"]
    assert float(cells[2]) == reports[0].points[3].kl_nats
    assert float(cells[3]) == np.log(4) - 0.75
    assert float(cells[4]) == reports[0].points[3].gold.mean
    assert float(cells[9]) == reports[0].points[3].ess
    record = json.loads(first.fits.read_text())["proxy"]
    assert record["rows"]["n_used"] == 320
    assert record["gold_sd"] == reports[0].gold_sd
    for form in ("bon", "rl"):
        fitted = record["fits"][form]
        assert fitted["a"]["low"] < fitted["a"]["estimate"] < fitted["a"]["high"]
        assert fitted["peak"] == "no peak in range" or fitted["peak"]["kl_nats"] > 0


def test_one_prompt_has_no_interval_and_says_so(tmp_path: Path) -> None:
    reports = analyze(
        ScoredTable(
            np.zeros(2, np.int64),
            np.arange(2),
            np.array([0.25, 0.75]),
            {"proxy_one": np.array([1.0, 2.0])},
        )
    )
    output = write_scores(tmp_path, reports)
    assert output.curve.read_text().splitlines()[1] == "proxy_one,1,0.0,0.0,0.5,,1.5,,1,2.0"
    record = json.loads(output.fits.read_text())["proxy_one"]
    assert "needs 3 points" in record["fits"]["bon"]["reason"]


def test_old_results_stay_what_they_were(tmp_path: Path) -> None:
    """Curve and fits of a fixed table with ties, missing scores and pools of 24 to 27 samples.

    Names, counts and layout are compared exactly; numbers to 1e-11, because the last digits of a
    least-squares solution belong to the linear algebra library.
    """
    written = write_scores(tmp_path, analyze(read_scores(GOLDEN / "pool.csv").table))
    recorded = (GOLDEN / "curve.csv").read_text().splitlines()
    lines = written.curve.read_text().splitlines()
    assert len(lines) == len(recorded)
    for line, old in zip(lines, recorded, strict=True):
        assert_same([_cell(cell) for cell in line.split(",")], [_cell(c) for c in old.split(",")])
    text, old_text = written.fits.read_text(), (GOLDEN / "fits.json").read_text()
    assert len(text.splitlines()) == len(old_text.splitlines())
    assert_same(json.loads(text), json.loads(old_text))


def _cell(text: str) -> str | int | float:
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    assert text == repr(number)
    return number


def assert_same(new: Any, old: Any) -> None:
    assert type(new) is type(old)
    if isinstance(new, dict):
        assert list(new) == list(old)
        for key in new:
            assert_same(new[key], old[key])
    elif isinstance(new, list):
        assert len(new) == len(old)
        for one, two in zip(new, old, strict=True):
            assert_same(one, two)
    elif isinstance(new, float):
        assert math.isclose(new, old, rel_tol=1e-11, abs_tol=1e-12)
    else:
        assert new == old


def test_a_folder_that_cannot_be_written_is_the_users_affair(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for outdir in (taken, taken / "below"):
        with pytest.raises(UserError, match=r"taken is a file\); choose a folder"):
            write_scores(outdir, [])
    assert taken.read_text() == "mine"
    (tmp_path / "out" / "curve.csv").mkdir(parents=True)
    with pytest.raises(UserError, match=r"curve\.csv: a folder is in the way"):
        write_scores(tmp_path / "out", [])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["curve.csv"]


def test_a_read_only_folder_is_said_to_be_so(
    unprivileged: Callable[[], AbstractContextManager[Path]],
) -> None:
    with unprivileged() as folder:
        folder.chmod(0o500)
        for outdir in (folder, folder / "new" / "deep"):
            with pytest.raises(UserError, match=r"cannot write the results \(Permission denied\)"):
                write_scores(outdir, [])
        folder.chmod(0o700)
        assert list(folder.iterdir()) == []


def test_nothing_half_written_is_left_behind(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "curve.csv").write_text("old")
    for outdir in (kept, tmp_path / "new" / "deep"):
        with pytest.raises(ZeroDivisionError), staging_folder(outdir) as staged:
            (staged / "curve.csv").write_text("half")
            raise ZeroDivisionError
    assert (kept / "curve.csv").read_text() == "old"
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "curve.csv"]


def test_finished_files_replace_old_ones(tmp_path: Path) -> None:
    (tmp_path / "curve.csv").write_text("old")
    with staging_folder(tmp_path) as staged:
        (staged / "curve.csv").write_text("new")
        assert (tmp_path / "curve.csv").read_text() == "old"
    assert (tmp_path / "curve.csv").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1
