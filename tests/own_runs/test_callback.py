"""The callback inside TRL's own trainers: what it writes, and that it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import overopt
from overopt import OveroptCallback, UserError
from overopt.artifacts.text_rewards import OwnReward
from overopt.own_runs.live.alarms import Alarms, Limits, Seen
from overopt.own_runs.live.log import LiveLog
from overopt.own_runs.live.prompts import LivePrompts
from overopt.stages.runs.rows import Draw, Rewards, measure_rows

from .training import PROMPTS, count_e, dpo, lines, load, minus_length, online, watch, write_policy


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_policy(tmp_path_factory.mktemp("policy"))


def history(trainer: Any) -> list[tuple[float, float]]:
    """Losses and gradient norms."""
    return [(row["loss"], row["grad_norm"]) for row in trainer.state.log_history if "loss" in row]


def test_losses_are_the_same_bit_for_bit_and_the_log_is_one_that_measure_reads(
    policy: Path, tmp_path: Path
) -> None:
    plain = dpo(policy, tmp_path / "plain")
    plain.train()
    watched = dpo(policy, tmp_path / "watched", watch(gold=minus_length))
    watched.train()
    assert len(history(plain)) == 4
    assert history(plain) == history(watched)
    for one, other in zip(plain.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert watched.model.training == plain.model.training
    found = lines(tmp_path / "watched" / "overopt.jsonl")
    assert [row["step"] for row in found] == [0, 2, 4]
    assert found[0]["kl_nats"] == pytest.approx(0.0, abs=1e-6) and found[2]["kl_nats"] > 0.0
    assert found[2]["n_samples"] == 12 and found[2]["kl_estimator"] == "rb"
    assert found[0]["gold_sd"] > 0 and found[0]["gold_sd"] == found[2]["gold_sd"]
    measured = overopt.measure(tmp_path / "watched" / "overopt.jsonl")
    assert measured.kl.shown == "Rao-Blackwellized"
    assert measured.report.runs[0].step_K.tolist() == [0, 2, 4]


def test_a_resumed_run_keeps_its_lines_and_needs_its_reference(
    policy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    first = dpo(policy, out, watch(reference=policy), save_strategy="steps", save_steps=2)
    first.train()
    log = out / "overopt.jsonl"
    whole = lines(log)
    log.write_text(log.read_text()[:-20])  # a crash cuts the last line
    again = dpo(policy, out, watch(reference=policy), save_strategy="steps", save_steps=2)
    again.train(resume_from_checkpoint=str(out / "checkpoint-2"))
    assert [row["step"] for row in lines(log)] == [0, 2, 4]
    assert lines(log)[2]["gold_sd" if "gold_sd" in whole[2] else "proxy_sd"] == pytest.approx(
        whole[2]["proxy_sd"]
    )
    blind = dpo(policy, out, watch(), save_strategy="steps", save_steps=2)
    with pytest.raises(UserError, match="give it as reference"):
        blind.train(resume_from_checkpoint=str(out / "checkpoint-2"))


def test_grpo_is_watched_too(policy: Path, tmp_path: Path) -> None:
    said: list[str] = []
    log = tmp_path / "mine.jsonl"
    watching = watch(every=1, log=log, say=said.append, limits=Limits(kl_nats=1e-9))
    online("grpo", policy, tmp_path, watching, max_steps=2).train()
    assert [row["step"] for row in lines(log)] == [0, 1, 2]
    assert len(said) == 1 and "without gold nobody can tell" in said[0]


def test_what_cannot_work_is_refused(policy: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="every is 0"):
        watch(every=0)
    twice = OveroptCallback(PROMPTS[:1] * 2, count_e)
    with pytest.raises(UserError, match="occurs twice"):
        dpo(policy, tmp_path, twice).train()

    def broken(prompts: list[str], responses: list[str]) -> list[float]:
        return [float("nan")] * len(responses)

    with pytest.raises(UserError, match="finite number for each"):
        dpo(policy, tmp_path, OveroptCallback(PROMPTS, broken, max_new_tokens=4)).train()


def seen(step: int, gold: float | None, length: float = 10.0, kl: float = 1.0) -> Seen:
    noise_B = 0.1 * np.array([1.0, -1.0, 1.0, -1.0, 0.5, -0.5, 0.5, -0.5])
    gold_B = None if gold is None else gold + noise_B * (1 + step)
    return Seen(step, kl, gold_B, length + noise_B)


def test_alarms_are_raised_once_and_only_where_the_interval_says_so() -> None:
    alarms = Alarms(Limits(kl_nats=5.0, length_share=0.5))
    rows = [seen(0, 0.0)]
    said = []
    for step, gold, length in ((1, 2.0, 10.0), (2, 4.0, 16.0), (3, 4.2, 16.0), (4, 1.0, 12.0)):
        rows.append(seen(step, gold, length, kl=9.0))
        said.append(alarms.look(rows))
    assert said[0] == []
    assert len(said[1]) == 1 and "16.000 tokens, 10.000 at the start" in said[1][0]
    assert said[2] == []
    assert len(said[3]) == 1 and "since step 3" in said[3][0]


def test_a_log_of_an_earlier_run_is_put_aside(tmp_path: Path) -> None:
    log = LiveLog(tmp_path / "deep" / "log.jsonl")
    assert log.begin(0) == []
    log.append({"step": 0})
    log.append({"step": 5})
    assert log.begin(4) == [{"step": 0}]
    assert lines(log.path) == [{"step": 0}]
    assert log.begin(0) == []
    assert not log.path.exists() and lines(tmp_path / "deep" / "log.1.jsonl") == [{"step": 0}]


def test_lines_of_a_log_end_where_json_says_so(tmp_path: Path) -> None:
    log = LiveLog(tmp_path / "log.jsonl")
    rows: list[dict[str, object]] = [{"step": at, "note": "a\u2028b\x85c"} for at in (0, 5)]
    for row in rows:
        log.append(row)
    assert log.begin(5) == rows


def test_a_second_training_is_watched_like_the_first(policy: Path, tmp_path: Path) -> None:
    said: list[str] = []
    watching = watch(monitors=["mahalanobis"], limits=Limits(kl_nats=-1.0), say=said.append)
    for name in ("one", "two"):
        said.clear()
        dpo(policy, tmp_path / name, watching).train()
        assert [line.partition(": ")[2].split(",")[0] for line in said[:2]] == [
            "KL is 0.000 nats", "mahalanobis: not computed"
        ]  # fmt: skip


def test_adapters_are_measured_against_the_model_without_them(policy: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    plain = load(policy)[0].eval()
    trainer = dpo(
        policy,
        tmp_path,
        watch(gold=minus_length),
        peft_config=peft.LoraConfig(r=2, target_modules=["c_attn"], task_type="CAUSAL_LM"),
        learning_rate=0.1,
    )
    trainer.train()
    found = lines(tmp_path / "overopt.jsonl")
    assert found[0]["kl_nats"] == pytest.approx(0.0, abs=1e-6) and found[-1]["kl_nats"] > 1e-4
    prompts = LivePrompts(PROMPTS, load(policy)[1], "{prompt}")
    merged = trainer.model.merge_and_unload()
    merged.__dict__.pop("forward", None)
    rewards = Rewards(OwnReward(count_e, prompts, "proxy"), None)
    rows_ = measure_rows(merged, plain, prompts.tokens, rewards, Draw(2, 6, 0), 4)
    assert found[-1]["kl_nats"] == pytest.approx(float(rows_.kl_rb_BN.mean()), rel=1e-3)
