import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.errors import UserError
from overopt.own_runs.log_rows import MOST_COLUMNS
from overopt.own_runs.logs import LogRequest, measure_logs
from overopt.own_runs.run_log import Columns, RunLog, read_log

NO_NAMES = Columns()


def jsonl(folder: Path, *rows: dict[str, Any], name: str = "log.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path, **named: str) -> RunLog:
    return read_log(path, Columns(**named))


def test_trl_grpo_kl_per_token_times_length_is_a_kl_per_response(tmp_path: Path) -> None:
    history = [
        {"step": 5, "kl": 0.0, "reward": 0.1, "completions/mean_length": 10.0, "loss": 1.0},
        {"step": 10, "kl": 0.2, "reward": 0.3, "completions/mean_length": 20.0},
        {"step": 10, "eval_loss": 0.5},
        {"step": 10, "train_runtime": 3.0},
    ]
    state = tmp_path / "trainer_state.json"
    state.write_text(json.dumps({"log_history": history, "save_steps": 5}))
    log = read(state)
    assert log.points.step_K.tolist() == [5, 10]
    np.testing.assert_allclose(log.points.kl_K, [0.0, 4.0])
    assert (log.proxy, log.gold, log.saved_every) == ("reward", None, 5)
    assert (log.kl.shown, log.kl.unit) == ("estimator unknown", "nats per response")
    asked = read(state, kl_estimator="k3")
    assert asked.kl.shown == "k3 = q/p − 1 − log q/p, token by token"


def test_rows_without_the_length_are_left_out_and_the_unit_stays(tmp_path: Path) -> None:
    whole: list[dict[str, Any]] = [
        {"step": i, "kl": i / 10, "reward": i, "completions/mean_length": 10.0 + i}
        for i in range(5)
    ]
    for at in (0, 3):  # KL 0 is 0 whatever the length
        del whole[at]["completions/mean_length"]
    log = read(jsonl(tmp_path, *whole))
    assert log.points.step_K.tolist() == [0, 1, 2, 4]
    np.testing.assert_allclose(log.points.kl_K, [0.0, 1.1, 2.4, 5.6])
    assert log.kl.unit == "nats per response" and np.isnan(log.length_K[0])
    assert any("1 step without completions/mean_length left out" in note for note in log.notes)
    for row in whole:
        row.pop("completions/mean_length", None)
    bare = read(jsonl(tmp_path, *whole))
    assert bare.kl.unit == "nats per token"
    assert any("no mean length in tokens" in note for note in bare.notes)


def test_a_look_is_over_the_rows_that_have_a_length(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"step": i, "kl_nats": i / 10, "proxy": i, "response_length": 10.0 + i} for i in range(101)
    ]
    for at in (1, 3, 4):  # each look beyond the first is over two rows: 1 and 2, 3 and 4, ...
        del rows[at]["response_length"]
    (looks,) = measure_logs(LogRequest([jsonl(tmp_path, *rows)], NO_NAMES)).looks
    assert [one.length for one in looks[:4]] == [10.0, 12.0, None, 15.5]


def test_a_value_below_zero_tells_that_it_is_k1(tmp_path: Path) -> None:
    rows = [{"step": i, "kl": kl, "reward": 1.0} for i, kl in enumerate((-0.001, 0.5, 1.0))]
    log = read(jsonl(tmp_path, *rows))
    assert log.kl.estimator == "k1" and log.kl.unit == "nats per token"
    np.testing.assert_allclose(log.points.kl_K, [0.0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("names", "estimator", "per", "proxy"),
    [
        (("objective/kl", "objective/scores"), "k1", "response", "objective/scores"),
        (("actor/kl_loss", "critic/score/mean"), "k3", "token", "critic/score/mean"),
        (("actor/reward_kl_penalty", "critic/rewards/mean"), "k1", "token", "critic/rewards/mean"),
        (("train/kl", "train/reward"), "", "token", "train/reward"),
        (("kl_nats", "proxy"), "", "response", "proxy"),
    ],
)
def test_known_names(
    tmp_path: Path, names: tuple[str, str], estimator: str, per: str, proxy: str
) -> None:
    kl, reward = names
    log = read(jsonl(tmp_path, *({"step": i, kl: i / 2, reward: i} for i in range(3))))
    assert (log.kl.name, log.kl.estimator, log.kl.per, log.proxy) == (kl, estimator, per, proxy)


def test_a_penalized_reward_is_pointed_out(tmp_path: Path) -> None:
    rows = ({"step": i, "actor/kl_loss": i, "critic/rewards/mean": i} for i in range(3))
    assert any("penalty" in note for note in read(jsonl(tmp_path, *rows)).notes)


def test_names_of_ones_own_in_a_csv_and_gold_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("it,dist,rm,human\n0,0,1,5\n10,1.5,2,\n20,3,3,4\n")
    log = read(path, step="it", kl="dist", proxy="rm", gold="human", kl_estimator="k2/response")
    np.testing.assert_allclose(log.points.gold_K, [5.0, np.nan, 4.0])
    assert (log.kl.estimator, log.kl.per) == ("k2", "response")
    assert read(path, step="it", kl="dist", proxy="rm").kl.unit == (
        "nats; per token or response unknown"
    )


def test_training_and_evaluation_rows_of_one_step_are_joined(tmp_path: Path) -> None:
    rows = [
        {"step": 0, "kl_nats": 0.0, "proxy": 1.0},
        {"step": 0, "eval_gold": 3.0},
        {"step": 5, "kl_nats": 1.0, "proxy": 2.0},
    ]
    log = read(jsonl(tmp_path, *rows))
    assert log.gold == "eval_gold"
    np.testing.assert_allclose(log.points.gold_K, [3.0, np.nan])


def test_the_newest_state_of_an_output_folder_is_read(tmp_path: Path) -> None:
    for at in (9, 10):
        folder = tmp_path / f"checkpoint-{at}"
        folder.mkdir()
        rows = [{"step": i, "kl": i / 10, "reward": 1.0} for i in range(at)]
        (folder / "trainer_state.json").write_text(json.dumps({"log_history": rows}))
    assert read(tmp_path).path == tmp_path / "checkpoint-10" / "trainer_state.json"
    with pytest.raises(UserError, match="there is no trainer_state"):
        read(_empty(tmp_path))


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


GOOD = {"kl_nats": 1.0, "proxy": 1.0}


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"step": 0, **GOOD, "proxy": float("nan")}], "not finite, which a diverged run logs"),
        ([{"step": 0, **GOOD, "kl_nats": float("inf")}], "not finite"),
        ([{"step": 0, **GOOD, "kl_nats": "much"}], "is no number"),
        ([{"step": 0, **GOOD, "kl_nats": True}], "is no number"),
        ([{"step": 0, **GOOD, "kl_nats": [1]}], "is no number"),
        ([{"step": 0, **GOOD, "kl_nats": 10**400}], "too large"),
        ([{"step": 0, **GOOD, "gold": "[red]x"}], "is no number"),
        ([{"step": 0, **GOOD}, {"step": 0, **GOOD}], "step 0 occurs twice"),
        ([{"step": 0.5, **GOOD}], "whole number"),
        ([{"step": -1, **GOOD}], "whole number"),
        ([GOOD], "known as the step"),
        ([{"step": 0, "kl_nats": 1.0}], "known as the proxy"),
        ([{"step": 0, "proxy": 1.0}], "known as the kl"),
        ([{"step": 0, "proxy": 1.0, "actor/ppo_kl": 0.1}], "two consecutive policies"),
        ([{"step": 0, "rewards/chosen": 1.0, "reward": 1}], "trainers on pairs"),
        ([{"step": 0, "kl": 1.0, "rewards/chosen": 1.0}], "KTO baseline"),
        ([{"step": 0, **GOOD}, {"step": 1, **GOOD, "kl_nats": -0.5}], "sign flipped"),
        ([{"step": 0, **GOOD, "kl_nats": 0.0}], "0 throughout"),
        ([{"step": 0, **GOOD, "kl_estimator": "k9"}], "kl_estimator"),
        ([{"step": 0, **GOOD, "gold_sd": 0}], "above 0"),
        (
            [{"step": i, "kl": 0.1, "reward": 1, "response_length": 3 - 4 * i} for i in range(2)],
            "column 'response_length' is -1 at step 1",
        ),
        ([{"step": 7, **GOOD, "response_length": 0}], "another column with --length"),
        ([{"step": 0, "kl_nats": 1.0}, {"step": 1, "proxy": 1.0}], "no step has both"),
        ([{f"c{i}": 0 for i in range(MOST_COLUMNS + 1)}], "columns"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    tmp_path: Path, rows: list[dict[str, Any]], says: str
) -> None:
    path = jsonl(tmp_path, *rows)
    with pytest.raises(UserError) as caught:
        read(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("log.jsonl", b"{", "line 1: no readable JSON"),
        ("log.jsonl", b'{"step": 1, "step": 2}', "occurs twice"),
        ("log.jsonl", b"[1]", "line 1 is no JSON object"),
        ("log.jsonl", b"\xff\xfe", "no readable JSON"),
        ("log.jsonl", b"[" * 100_000, "no readable JSON"),
        ("log.jsonl", b"", "is empty"),
        ("log.json", b"[]", "no log_history"),
        ("log.json", b'{"log_history": [1]}', "no log_history"),
        ("log.txt", b"x", "the suffix is '.txt'"),
        ("log.csv", b"step,kl\n1\n", "not a readable .csv"),
        ("log.csv", b"step,kl_nats,proxy\n" + b"1,1,1\n" * 200_002, "more than 200,000 rows"),
    ],
)
def test_files_that_are_no_log(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_log(path, NO_NAMES)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_many_distinct_names_are_refused_before_they_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f'{{"c{i}": 1}}\n' for i in range(150_000)))
    with pytest.raises(UserError, match="columns"):
        read_log(path, NO_NAMES)


def test_a_wrong_name_is_answered_with_one_that_may_be_meant(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"step": 0, **GOOD, "human": 1.0})
    with pytest.raises(UserError, match="did you mean 'human'"):
        read(path, gold="humen")
    with pytest.raises(UserError, match="cannot be both"):
        read(path, gold="proxy")
    with pytest.raises(UserError, match="give one of k1"):
        read(path, kl_estimator="k4")
