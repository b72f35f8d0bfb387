"""Results as one table for people who work in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import overopt
from overopt.report.stored.frame import FRAME_COLUMNS
from overopt.report.stored.schema import LEVELS
from overopt.spec.columns import POINT_COLUMNS, TEXT
from report.synthetic import Cell, write_runs


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return write_runs(
        tmp_path / "results",
        methods=("bon", "dpo"),
        proxies=("single",),
        noises=("0",),
        failed=(Cell("dpo", "single", "0", 3),),
    )


def test_table_holds_every_point_with_typed_columns(folders: list[Path]) -> None:
    table = overopt.load_results(folders[0].parents[2])
    assert tuple(table.columns) == FRAME_COLUMNS == ("run", "version", *LEVELS, *POINT_COLUMNS)
    assert set(table["run"]) == {"reviews/bon/step-0a1b2c3d", "reviews/dpo/step-0a1b2c3d"}
    assert set(table["version"]) == {""}
    for name in POINT_COLUMNS:
        kind = "int64" if name in ("world", "seed") else "str" if name in TEXT else "float64"
        assert str(table[name].dtype) == kind, name
    failed = table[table["status"] == "failed"]
    assert list(zip(failed["method"], failed["seed"], strict=True)) == [("dpo", 3)]
    assert failed["gold_mean"].isna().all(), "a failure is never a number"
    ok = table[table["status"] == "ok"]
    assert np.isfinite(ok["gold_mean"]).all()


def test_one_folder_or_several_as_text_or_paths(folders: list[Path]) -> None:
    whole = overopt.load_results(str(folders[0].parents[2]))
    assert overopt.load_results([folders[0], str(folders[1])]).equals(whole)
    assert set(overopt.load_results(folders[1])["method"]) == {"dpo"}


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(overopt.UserError, match="holds no run"):
        overopt.load_results(tmp_path)
