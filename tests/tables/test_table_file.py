import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overopt.errors import UserError
from overopt.own_scores.scores_file import read_scores
from overopt.tables.table_file import holds_numbers, read_ids, read_numbers, read_table


def fail(path: Path) -> str:
    """The error's text, which is one line that begins with the file."""
    with pytest.raises(UserError) as caught:
        read_table(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    assert "allowed are .parquet, .csv, .jsonl" in fail(tmp_path / "t.xlsx")
    assert "no such file" in fail(tmp_path / "t.csv")
    assert "this is a folder" in fail(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    assert "this is a folder" in fail(tmp_path / "folder.csv")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "the file is empty"),
        ("empty.parquet", b"", "the file is empty"),
        ("header.csv", b"a,b\n", "no rows"),
        ("blank.jsonl", b"\n\n", "no rows"),
        ("text.parquet", b"not parquet", "not a readable .parquet table"),
        ("cut.jsonl", b'{"gold": 1}\n\n{"gold": \n', "line 3: Expecting value"),
        ("list.jsonl", b"[1, 2]\n", "line 1: not an object"),
        ("twice.jsonl", b'{"a": 1}\n{"a": 1, "a": 2}\n', "line 2: the name 'a' occurs twice"),
        ("latin.jsonl", b'{"a": 1}\n{"a": "\xe9"}\n', "line 2: 'utf-8' codec"),
        ("deep.jsonl", b"[" * 100_000, "line 1"),
        ("utf16.csv", b"\xff\xfe\x00gold", "'utf-8' codec"),
        ("long.csv", b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells where the header has 2"),
        ("short.csv", b"a,b\n1,2\n\n1\n", "line 4: 1 cells where the header has 2"),
        ("wide.csv", b"a,b\n1,2,3\n1,2,3\n", "line 2: 3 cells where the header has 2"),
        ("open.csv", b'a,b\n1,"x\n', "line 2: unexpected end of data"),
        ("quote.csv", b'a,b\n"1"x,2\n', "line 2: "),
        ("twice.csv", b"a,b,a\n1,2,3\n", "the name 'a' occurs twice"),
    ],
)
def test_damaged_files_say_where(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert says in fail(path)


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    generator = np.random.default_rng(0)
    pd.DataFrame({"gold": generator.normal(size=5000)}).to_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "not a readable .parquet table" in fail(path)


def test_csv_cells_stay_text_and_may_be_long(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = tmp_path / "T.CSV"
    path.write_text('\ufeffid,text\r\n007,"a,\nb"\r\n8,' + "x" * 200_000, encoding="utf-8")
    frame = read_table(path)
    assert frame["id"].tolist() == ["007", "8"]
    assert frame["text"].tolist() == ["a,\nb", "x" * 200_000]
    assert csv.field_size_limit() == before


def test_a_named_parquet_index_becomes_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame({"prompt_id": ["a", "b"], "k": [1, 2], "gold": [0.5, 1.0]})
    frame.set_index(["prompt_id", "k"]).to_parquet(path)
    assert read_table(path).columns.tolist() == ["prompt_id", "k", "gold"]
    frame[frame["k"] > 1].to_parquet(path)  # an unnamed index is no column
    assert read_table(path).columns.tolist() == ["prompt_id", "k", "gold"]


def test_numbers_are_finite_or_missing() -> None:
    file = Path("t.csv")
    frame = pd.DataFrame(
        {
            "good": ["1", " 2.5", "", "NaN", "n/a"],
            "wordy": ["1", "2", "three", "4", "5"],
            "endless": ["1", "2", "3", "1e999", "5"],
            "none": ["", "", "", "", ""],
        }
    )
    np.testing.assert_array_equal(
        read_numbers(file, frame, "good"), [1.0, 2.5, np.nan, np.nan, np.nan]
    )
    with pytest.raises(UserError, match="'wordy' holds 'three' in data row 3"):
        read_numbers(file, frame, "wordy")
    with pytest.raises(UserError, match="'endless' is infinite in data row 4"):
        read_numbers(file, frame, "endless")
    numeric = [name for name in frame if holds_numbers(frame, str(name))]
    assert numeric == ["good", "endless"]


@pytest.mark.parametrize("missing", [None, np.nan, np.float32("nan"), pd.NA, pd.NaT, ""])
def test_every_row_needs_an_id(missing: object) -> None:
    frame = pd.DataFrame({"id": pd.Series(["a", missing], dtype=object)})
    with pytest.raises(UserError, match="no id in data row 2"):
        read_ids(Path("t.csv"), frame, "id")


def test_tables_beyond_all_bounds_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand columns, a key of its own in every row, and sixty million rows in 1 MB."""
    wide, keyed, tall = (tmp_path / name for name in ("wide.csv", "keyed.jsonl", "tall.parquet"))
    wide.write_text(",".join(f"c{i}" for i in range(100_000)) + "\n")
    keyed.write_text("".join(f'{{"k{i}": 1}}\n' for i in range(20_000)))
    pq.write_table(pa.table({"gold": pa.array([], pa.float64())}), tall)
    rows = pa.table({"gold": pa.array(np.zeros(1_000_000))})
    with pq.ParquetWriter(tall, rows.schema, compression="zstd") as writer:
        for _ in range(11):
            writer.write_table(rows)
    assert tall.stat().st_size < 1_000_000
    for file in (wide, keyed, tall):
        with pytest.raises(UserError, match="more than 10,000,000 rows or 1,000 columns"):
            read_table(file)
    small = tmp_path / "small.parquet"
    pq.write_table(pa.table({"gold": ["x" * 1000] * 1000}), small)
    assert len(read_table(small)) == 1000
    monkeypatch.setattr("overopt.tables.table_file.MOST_BYTES", 500)
    with pytest.raises(UserError, match="it expands to more than 0 GB"):
        read_table(small)


def test_more_proxies_than_a_figure_shows_are_refused(tmp_path: Path) -> None:
    names = [f"proxy_{i}" for i in range(51)]
    file = tmp_path / "many.csv"
    rows = [["prompt_id", "gold", *names], *([str(i), *["0.5"] * 52] for i in range(2))]
    file.write_text("".join(",".join(row) + "\n" for row in rows))
    with pytest.raises(UserError, match=r"51 proxies are more than one figure shows \(50\)"):
        read_scores(file)
    assert read_scores(file, proxies=names[:2]).proxies == ("proxy_0", "proxy_1")


@pytest.mark.parametrize("value", ["1e31", "-1.7e308", "1e999"])
def test_scores_beyond_all_measure_are_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"prompt_id,gold,proxy\na,1,2\na,{value},1\n")
    with pytest.raises(UserError, match=r"in data row 2, allowed are finite numbers up to 1e\+30"):
        read_scores(path)


def test_ids_of_half_a_letter_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"prompt_id": "\\ud800", "gold": 1, "proxy": 2}\n')
    assert "line 1: it holds '\\ud800', which is half a letter" in fail(path)


@pytest.mark.parametrize(
    "metadata",
    ["[]", '{"index_columns": 3}', '{"index_columns": [{"kind": "range"}], "columns": []}', "["],
)
def test_metadata_without_sense_is_refused_or_without_effect(tmp_path: Path, metadata: str) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"gold": [1.0, 2.0]}).replace_schema_metadata({"pandas": metadata})
    pq.write_table(table, path)
    try:
        assert read_table(path)["gold"].tolist() == [1.0, 2.0]
    except UserError as error:
        assert str(error).startswith(f"{path}: not a readable .parquet table")


def test_texts_of_a_parquet_file_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    broken = pa.array([b"a", b"\xff\xfe"]).view(pa.string())
    pq.write_table(pa.table({"prompt_id": broken, "gold": [1.0, 2.0]}), path)
    assert "not a readable .parquet table" in fail(path)
