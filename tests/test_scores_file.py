import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overopt.errors import UserError
from overopt.scores_file import length_proxy, read_scores, write_scores
from overopt.stats.scored import analyse

POOL = Path(__file__).parents[2] / "shared" / "data" / "alpaca_eval_pool.parquet"

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
    assert "no row has both" in fail(save(unscored, tmp_path / "e.csv"), proxies=["proxy_one"])


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    assert "allowed are .parquet, .csv, .jsonl" in fail(tmp_path / "t.xlsx")
    assert "no such file" in fail(tmp_path / "t.csv")
    assert "no rows" in fail(save(FRAME[:0], tmp_path / "empty.csv"))
    for name, content in {
        "a.parquet": b"not parquet",
        "b.jsonl": b'{"gold": 1}\n{"gold": \n',
        "c.jsonl": b"[1, 2]\n",
        "d.csv": b"",
        "e.csv": b"\xff\xfe\x00gold",
        "f.csv": b"a,b\n1,2\n1,2,3\n",
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert "not a readable" in fail(path)
    path = tmp_path / "g.csv"
    path.write_text("prompt_id,gold\n1,2,3\n1,2,3\n")
    assert "more cells than the header" in fail(path)


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


def test_written_files_hold_full_precision_and_the_same_bytes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    gold = generator.normal(size=20 * 16)
    frame = pd.DataFrame(
        {
            "prompt_id": np.repeat(np.arange(20), 16),
            "sample_id": np.tile(np.arange(16), 20),
            "gold": gold,
            "proxy": gold + generator.normal(size=gold.size),
        }
    )
    reports = analyse(read_scores(save(frame, tmp_path / "a.parquet")).table)
    first = write_scores(tmp_path / "one", reports)
    again = analyse(read_scores(save(frame[::-1], tmp_path / "b.parquet")).table)
    second = write_scores(tmp_path / "two", again)
    assert first.curve.read_bytes() == second.curve.read_bytes()
    assert first.fits.read_bytes() == second.fits.read_bytes()
    lines = first.curve.read_text().splitlines()
    assert lines[0] == "proxy,n,kl_nats,gold_mean,gold_se,proxy_mean,proxy_se,n_prompts"
    assert len(lines) == 1 + 5
    cells = lines[3].split(",")
    assert cells[:2] == ["proxy", "4"]
    assert float(cells[2]) == np.log(4) - 0.75
    assert float(cells[3]) == reports[0].points[2].gold.mean
    record = json.loads(first.fits.read_text())["proxy"]
    assert record["rows"]["n_used"] == 320
    assert record["gold_sd"] == reports[0].gold_sd
    for form in ("bon", "rl"):
        fitted = record["fits"][form]
        assert fitted["a"]["low"] < fitted["a"]["estimate"] < fitted["a"]["high"]
        assert fitted["peak"] == "no peak in range" or fitted["peak"]["kl_nats"] > 0


def test_one_prompt_has_no_interval_and_says_so(tmp_path: Path) -> None:
    frame = FRAME[:2].assign(gold=[0.25, 0.75])
    reports = analyse(read_scores(save(frame, tmp_path / "a.csv"), proxies=["proxy_one"]).table)
    output = write_scores(tmp_path, reports)
    assert output.curve.read_text().splitlines()[1] == "proxy_one,1,0.0,0.5,,1.5,,1"
    record = json.loads(output.fits.read_text())["proxy_one"]
    assert "needs 3 points" in record["fits"]["bon"]["reason"]


def test_a_folder_that_cannot_be_written_is_the_users_affair(tmp_path: Path) -> None:
    reports = analyse(read_scores(save(FRAME, tmp_path / "a.csv")).table)
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="choose a folder"):
        write_scores(tmp_path / "taken", reports)


@pytest.mark.skipif(not POOL.is_file(), reason="the shared data set is not here")
def test_real_table_end_to_end(tmp_path: Path) -> None:
    scores = read_scores(POOL, proxies=["length", "gold"])
    output = write_scores(tmp_path, analyse(scores.table))
    curve = pd.read_csv(output.curve)
    assert curve[curve["proxy"] == "gold"]["gold_mean"].is_monotonic_increasing
    assert set(curve["n"]) == {1, 2, 4, 8, 16, 32, 57}
