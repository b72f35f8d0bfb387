"""Files inside artifacts: exact round trips, equal bytes, nothing that is not a number."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overopt.artifacts.tables import Column, Table, read_json, write_json, write_table
from overopt.worlds.tokens import Tokens


def _tokens(rows: list[list[int]]) -> Tokens:
    flat = np.array([token for row in rows for token in row], dtype=np.int32)
    return Tokens.from_flat(flat, np.array([len(row) for row in rows]))


@given(st.lists(st.lists(st.integers(1, 9), max_size=5), min_size=1, max_size=6))
def test_tokens_of_any_length_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]]
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    written = _tokens(rows)
    write_table(path, {"response": written})
    read = Table(path).tokens("response")
    assert read.ids_NT.tolist() == written.ids_NT.tolist()
    assert read.length_N.tolist() == [len(row) for row in rows]


def test_numbers_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    floats = np.array([0.1, 1 / 3, -1e-300, 5e300])
    write_table(path, {"f": floats, "i": np.arange(4), "b": np.array([True, False, True, True])})
    table = Table(path)
    assert table.columns == ["f", "i", "b"]
    assert len(table) == 4
    assert (table.floats("f") == floats).all()
    assert table.integers("i").tolist() == [0, 1, 2, 3]
    assert table.integers("b").tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_and_leaves_no_file(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(FloatingPointError, match=r"t\.parquet: column gold holds NaN"):
        write_table(path, {"ok": np.ones(2), "gold": np.array([1.0, bad])})
    assert not path.exists()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "t.json", {"gold": bad})


def test_equal_columns_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        rng = np.random.default_rng(0)
        columns: dict[str, Column] = {"x": rng.random(1000), "t": _tokens([[1, 2], [3]] * 500)}
        write_table(tmp_path / f"{name}.parquet", columns)
        write_json(tmp_path / f"{name}.json", {"b": 0.1, "a": [1, None]})
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_a_flipped_byte_of_a_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, {"x": np.random.default_rng(0).random(1000)})
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    with pytest.raises(OSError, match="CRC"):
        Table(path)


def test_json_is_sorted_and_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "t.json", {"b": 1 / 3, "a": None})
    assert (tmp_path / "t.json").read_text() == '{\n "a": null,\n "b": 0.3333333333333333\n}\n'
    assert read_json(tmp_path / "t.json") == {"a": None, "b": 1 / 3}
