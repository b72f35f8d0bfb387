"""Gold by prompt: what runs write is what is read, and what is damaged is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overopt.errors import UserError
from overopt.report.comparison.runs import compare
from overopt.report.stored.prompts import read_prompts
from overopt.report.stored.run_folder import read_run

from .drawn import PROMPTS, gold_of, write_run

Table = dict[str, np.ndarray]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_run(tmp_path, "a", 0.3)
    return write_run(tmp_path, "b", 0.4, reach={1: 4.0}, failed=(3,))


def test_rows_are_those_of_the_points(folder: Path) -> None:
    found = read_prompts(folder, read_run(folder).points)
    assert found is not None
    # seed 0 has rows 0 to 4, seed 1 rows 5 to 8 and a missed budget, seed 3 its failure
    assert sorted(found) == [*range(9), *range(10, 15), *range(16, 21)]
    assert found[7] == pytest.approx(gold_of("b", 1, 0.4, 0)[2], abs=1e-6)


def test_without_a_table_there_is_nothing(folder: Path) -> None:
    (folder / "prompts.parquet").unlink()
    assert read_prompts(folder, read_run(folder).points) is None


def rewrite(folder: Path, change: Callable[[Table], Table]) -> None:
    path = folder / "prompts.parquet"
    table = pq.read_table(path)
    columns = {name: np.asarray(table[name]).copy() for name in table.column_names}
    pq.write_table(pa.table(change(columns)), path)


def put(name: str, at: int, value: float) -> Callable[[Table], Table]:
    def change(table: Table) -> Table:
        table[name][at] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("gold", 3, np.nan), "no numbers up to"),
        (put("row", 0, 9), "row 1 of points.csv has not all"),
        (put("row", 0, 1), "row 1 of points.csv has not all"),
        (put("prompt_id", 0, 1), "row 1 does not have prompts numbered from 0"),
        (lambda t: {name: column[1:] for name, column in t.items()}, "row 1 of .* not all"),
        (
            lambda t: {"row": t["row"], "gold": t["gold"]},
            "its columns must be row, prompt_id, gold",
        ),
        (lambda t: t | {"gold": t["gold"].astype(str)}, "its columns must be"),
    ],
)
def test_a_damaged_table_is_refused(
    folder: Path, change: Callable[[Table], Table], reason: str
) -> None:
    rewrite(folder, change)
    with pytest.raises(UserError, match=rf"prompts.parquet is damaged \(.*{reason}") as told:
        read_prompts(folder, read_run(folder).points)
    assert "\n" not in str(told.value)


def test_missing_values_and_other_bytes_are_refused(folder: Path) -> None:
    path = folder / "prompts.parquet"
    table = pq.read_table(path)
    gold = table["gold"].to_pylist()
    gold[0] = None
    pq.write_table(table.set_column(2, "gold", pa.array(gold, pa.float32())), path)
    with pytest.raises(UserError, match="has missing values"):
        read_prompts(folder, read_run(folder).points)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match="is damaged"):
        read_prompts(folder, read_run(folder).points)


def test_gold_that_is_not_that_of_the_points_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    other = write_run(tmp_path, "b", 0.4)
    rewrite(other, put("gold", 2 * PROMPTS, 50.0))
    with pytest.raises(UserError, match=r"means of prompts.parquet are not the gold of points.csv"):
        compare(tmp_path)


def test_the_run_that_has_prompts_serves_one_that_has_the_same_points(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    first = write_run(tmp_path, "b", 0.4, by_prompt=False)
    write_run(tmp_path, "b", 0.4, name="step-1111111111")
    assert read_prompts(first, read_run(first).points) is None
    assert set(compare(tmp_path).pairs["paired_by"]) == {"seeds, prompts"}


def test_other_prompts_are_not_paired_by_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, "a", 0.3)
    folder = write_run(tmp_path, "b", 0.4)
    points = pd.read_csv(folder / "points.csv")
    table = pq.read_table(folder / "prompts.parquet").to_pandas()
    # half of the prompts, with the means of all: an evaluation of another size
    half = table[table["prompt_id"] < PROMPTS // 2].copy()
    gained = (
        half.groupby("row")["gold"].transform("mean")
        - points["gold_mean"].loc[half["row"]].to_numpy()
    )
    half["gold"] = (half["gold"] - gained).astype(np.float32)
    pq.write_table(pa.Table.from_pandas(half, preserve_index=False), folder / "prompts.parquet")
    points["n_prompts"] = points["n_prompts"].where(points["n_prompts"].isna(), PROMPTS // 2)
    points.to_csv(folder / "points.csv", index=False)
    with pytest.raises(UserError, match="nothing to compare"):  # other prompts, another start
        compare(tmp_path)
