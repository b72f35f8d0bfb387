"""Tables beside the points: today's, those of earlier versions, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.errors import UserError
from overopt.report.stored.beside import read_beside
from overopt.run.written.csv_text import to_csv
from overopt.spec.columns import ANGLE_COLUMNS, DIAGNOSTIC_COLUMNS, RANKING_COLUMNS

ROW = {"world": 0, "proxy": "mean", "noise": "0.25", "seed": 1, "step": 4}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rankings.csv"
    path.write_text(to_csv(RANKING_COLUMNS, [{**ROW, "ranking": 0.625}]), encoding="utf-8")
    (row,) = read_beside(path, RANKING_COLUMNS).to_dict("records")
    assert (row["proxy"], row["step"], row["ranking"]) == ("mean", 4.0, 0.625)
    assert np.isnan(row["flipped"])
    assert read_beside(tmp_path / "none.csv", RANKING_COLUMNS).empty


def test_a_column_of_later_versions_is_missing_and_any_other_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "diagnostics.csv"
    earlier = tuple(name for name in DIAGNOSTIC_COLUMNS if name != "spread")
    path.write_text(to_csv(earlier, [{**ROW, "correlation": 0.5}]), encoding="utf-8")
    table = read_beside(path, DIAGNOSTIC_COLUMNS, ("spread",))
    assert table["correlation"].tolist() == [0.5] and table["spread"].isna().all()
    with pytest.raises(UserError, match="lacks spread"):
        read_beside(path, DIAGNOSTIC_COLUMNS)


def test_a_row_that_names_no_step_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rankings.csv"
    path.write_text(to_csv(RANKING_COLUMNS, [{**ROW, "step": None}]), encoding="utf-8")
    with pytest.raises(UserError, match="has no step"):
        read_beside(path, RANKING_COLUMNS)


def test_angles_name_layers_and_no_step(tmp_path: Path) -> None:
    path = tmp_path / "angles.csv"
    row = {**{name: ROW[name] for name in ("world", "proxy", "noise", "seed")}, "first": 0}
    rows = [{**row, "second": 1, "layer": name, "weights": 4} for name in ("head.weight", "all")]
    rows[1]["angle_degrees"] = 88.5
    path.write_text(to_csv(ANGLE_COLUMNS, rows), encoding="utf-8")
    table = read_beside(path, ANGLE_COLUMNS, text=("layer",))
    assert table["layer"].tolist() == ["head.weight", "all"]
    assert np.isnan(table["angle_degrees"][0]) and table["angle_degrees"][1] == 88.5
    path.write_text(to_csv(ANGLE_COLUMNS, [{**rows[0], "seed": None}]), encoding="utf-8")
    with pytest.raises(UserError, match="has no seed"):
        read_beside(path, ANGLE_COLUMNS, text=("layer",))
