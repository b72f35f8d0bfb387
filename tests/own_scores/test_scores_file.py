from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overopt.errors import UserError
from overopt.own_scores.scores_file import length_proxy, read_scores

FRAME = pd.DataFrame(
    {
        "prompt_id": ["a", "a", "b", "b"],
        "sample_id": [0, 1, 0, 1],
        "gold": [0.1, 0.7, 1 / 3, 0.2],
        "proxy_one": [1.0, 2.0, 3.0, 5.0],
        "proxy_two": [1, 4, 2, 8],
        "response": ["one two", "x", "", "a b c"],
    }
)


def save(frame: pd.DataFrame, path: Path) -> Path:
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path)
        case ".csv":
            frame.to_csv(path, index=False)
        case _:
            frame.to_json(path, orient="records", lines=True, double_precision=15)
    return path


def fail(path: Path, gold: str | None = None, proxies: list[str] | None = None) -> str:
    """The error's text, which is one sentence that begins with the file."""
    with pytest.raises(UserError) as caught:
        read_scores(path, gold=gold, proxies=proxies)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text.removeprefix(str(path))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_all_formats_read_the_same(tmp_path: Path, suffix: str) -> None:
    scores = read_scores(save(FRAME, tmp_path / f"t{suffix}"))
    assert scores.proxies == ("proxy_one", "proxy_two")
    assert (scores.prompt, scores.sample, scores.gold) == ("prompt_id", "sample_id", "gold")
    assert scores.table.prompt_R.tolist() == ["a", "a", "b", "b"]
    assert scores.table.sample_R.tolist() == ["0", "1", "0", "1"]
    np.testing.assert_allclose(scores.table.gold_R, FRAME["gold"], rtol=1e-14)
    np.testing.assert_allclose(scores.table.proxies["proxy_two"], [1, 4, 2, 8])


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_empty_scores_are_missing_and_infinite_ones_an_error(tmp_path: Path, suffix: str) -> None:
    holes = FRAME.assign(gold=[0.1, np.nan, 0.3, 0.2])
    scores = read_scores(save(holes, tmp_path / f"t{suffix}"))
    assert np.isnan(scores.table.gold_R).tolist() == [False, True, False, False]
    if suffix != ".jsonl":  # JSON has no infinity
        endless = FRAME.assign(proxy_one=[0.1, 0.2, np.inf, 0.2])
        text = fail(save(endless, tmp_path / f"u{suffix}"))
        assert "'proxy_one' is infinite in data row 3" in text


def test_scores_that_are_nan_and_not_empty_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("prompt_id,gold,proxy\na,1,2\na,2,nan\na,3,NaN\na,4,\nb,1,3\n")
    scores = read_scores(path)
    assert int(np.isnan(scores.table.proxies["proxy"]).sum()) == 3
    (told,) = [note for note in scores.notes if "NaN" in note]
    assert told.startswith("2 scores of proxy are NaN and left out as missing")
    path.write_text("prompt_id,gold,proxy\na,1,2\na,2,\nb,1,3\n")
    assert not any("NaN" in note for note in read_scores(path).notes)


def test_identifiers_keep_their_leading_zeros(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("prompt_id,sample_id,gold,proxy\n007,NA,1,2\n7,NA,3,4\n")
    scores = read_scores(path)
    assert scores.table.prompt_R.tolist() == ["007", "7"]
    assert scores.table.sample_R.tolist() == ["NA", "NA"]


def test_missing_columns_come_with_a_suggestion(tmp_path: Path) -> None:
    path = save(FRAME, tmp_path / "t.csv")
    text = fail(path, gold="glod")
    assert "there is no column 'glod'; did you mean 'gold'?" in text
    assert "available: prompt_id, sample_id, gold" in text
    assert "--gold" in text
    assert "'proxy_one'" in fail(path, proxies=["proxy_on"])
    assert "no column 'prompt_id'" in fail(
        save(FRAME.drop(columns="prompt_id"), tmp_path / "u.csv")
    )
    bare = save(FRAME[["prompt_id", "gold", "response"]], tmp_path / "v.csv")
    assert "no proxy column among response" in fail(bare)
    assert "no column 'response'" in fail(
        save(FRAME.drop(columns="response"), tmp_path / "w.csv"), proxies=["length"]
    )


def test_rows_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    words = FRAME.astype({"gold": object}).assign(gold=[0.1, "good", 0.2, 0.3])
    text = fail(save(words, tmp_path / "a.csv"))
    assert "'gold' holds 'good' in data row 2" in text
    underscored = FRAME.astype({"gold": object}).assign(gold=[0.1, 0.2, "1_000", 0.3])
    assert "data row 3" in fail(save(underscored, tmp_path / "b.csv"))
    twice = FRAME.assign(sample_id=[0, 1, 1, 1])
    text = fail(save(twice, tmp_path / "c.csv"))
    assert "data row 4 repeats prompt_id 'b' with sample_id '1'" in text
    nameless = FRAME.assign(prompt_id=FRAME["prompt_id"].where(np.array([True, False, True, True])))
    assert "no id in data row 2" in fail(save(nameless, tmp_path / "d.csv"))
    assert "no id in data row 2" in fail(save(nameless, tmp_path / "d.parquet"))
    unscored = FRAME.assign(proxy_one=np.nan)
    assert "'proxy_one' holds no number at all" in fail(
        save(unscored, tmp_path / "e.csv"), proxies=["proxy_one"]
    )
    apart = FRAME.assign(
        gold=[0.1, 0.2, np.nan, np.nan], proxy_one=[np.nan, np.nan, 1.0, 2.0], proxy_two=1.0
    )
    assert "no row has both 'gold' and 'proxy_one'" in fail(save(apart, tmp_path / "f.csv"))
    listed = FRAME.assign(response=[b"a", b"b", b"c", b"d"])
    assert "no text in data row 1" in fail(save(listed, tmp_path / "g.parquet"), proxies=["length"])


def test_one_column_has_one_role(tmp_path: Path) -> None:
    path = save(FRAME, tmp_path / "t.csv")
    with pytest.raises(UserError, match="'prompt_id' cannot be both --prompt and --gold"):
        read_scores(path, gold="prompt_id")
    with pytest.raises(UserError, match="'sample_id' cannot be both --prompt and --sample"):
        read_scores(path, prompt="sample_id", sample="sample_id")
    swapped = save(FRAME.rename(columns={"sample_id": "source"}), tmp_path / "u.csv")
    scores = read_scores(swapped, prompt="source", proxies=["proxy_one"])
    assert scores.sample is None  # source is taken, so rows are numbered


def test_a_length_column_of_the_table_is_not_derived(tmp_path: Path) -> None:
    path = save(FRAME.assign(length=[9, 8, 7, 6]), tmp_path / "t.parquet")
    scores = read_scores(path, proxies=["length", "length_words"])
    assert scores.table.proxies["length"].tolist() == [9.0, 8.0, 7.0, 6.0]
    assert scores.table.proxies["length_words"].tolist() == [2.0, 1.0, 0.0, 3.0]
    assert scores.notes == ("length is a column of the table, so it was not derived",)


def test_columns_of_the_users_own_are_read(tmp_path: Path) -> None:
    names = {"prompt_id": "q", "sample_id": "k", "gold": "judge", "response": "text"}
    path = save(FRAME.rename(columns=names), tmp_path / "t.jsonl")
    scores = read_scores(path, "judge", ["length", "proxy_two"], "q", "k", "text")
    assert scores.table.proxies["length"].tolist() == [7.0, 1.0, 0.0, 5.0]
    assert scores.table.gold_R.tolist() == pytest.approx(FRAME["gold"].tolist())
    with pytest.raises(UserError, match=r"no column 'answer'.*--response"):
        read_scores(path, "judge", ["length"], "q", "k", "answer")


def test_sample_ids_are_found_or_made_and_said(tmp_path: Path) -> None:
    plain = FRAME.drop(columns="sample_id")
    scores = read_scores(save(plain, tmp_path / "a.csv"))
    assert scores.sample is None
    assert scores.table.sample_R.tolist() == [0, 1, 0, 1]
    assert any("rows were numbered" in note for note in scores.notes)
    sourced = plain.assign(source=["m1", "m2", "m1", "m2"])
    scores = read_scores(save(sourced, tmp_path / "b.csv"))
    assert scores.sample == "source"
    assert any("source names the samples" in note for note in scores.notes)


def test_length_is_a_proxy_that_needs_no_column(tmp_path: Path) -> None:
    scores = read_scores(save(FRAME, tmp_path / "t.parquet"), proxies=["length", "length_words"])
    assert scores.table.proxies["length"].tolist() == [7.0, 1.0, 0.0, 5.0]
    assert scores.table.proxies["length_words"].tolist() == [2.0, 1.0, 0.0, 3.0]
    assert np.isnan(length_proxy([None, "ab"])).tolist() == [True, False]
    renamed = save(FRAME.rename(columns={"response": "text"}), tmp_path / "u.parquet")
    taken = read_scores(renamed, response="text")
    assert taken.proxies == ("proxy_one", "proxy_two", "length")
    with pytest.raises(ValueError, match="characters or words"):
        length_proxy([], "tokens")
