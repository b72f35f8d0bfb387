"""The callback inside TRL's own trainers: what it writes, and that it changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer

import overopt
from hub.folders import rows, write_folder
from overopt import OveroptCallback, UserError
from overopt.artifacts.text_rewards import OwnReward
from overopt.own_runs.alarms import Alarms, Limits, Seen
from overopt.own_runs.live_log import LiveLog
from overopt.own_runs.live_prompts import LivePrompts
from overopt.stages.runs.rows import Draw, Rewards, measure_rows

PROMPTS = [row.prompt for row in rows()[:6]]


def count_e(prompts: list[str], responses: list[str]) -> list[float]:
    """A proxy that anybody can hack."""
    return [float(text.count("e")) for text in responses]


def minus_length(prompts: list[str], responses: list[str]) -> list[float]:
    return [-float(len(text)) for text in responses]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("policy"), "gpt2")
    config = json.loads((folder / "config.json").read_text())
    config |= {"attn_pdrop": 0.1, "resid_pdrop": 0.1, "embd_pdrop": 0.1}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def load(policy: Path) -> tuple[Any, Any]:
    tokenizer = AutoTokenizer.from_pretrained(policy)
    tokenizer.pad_token = tokenizer.eos_token
    return AutoModelForCausalLM.from_pretrained(policy), tokenizer


def train_dpo(
    policy: Path, out: Path, *callbacks: Any, peft_config: Any = None, **more: Any
) -> Any:
    """A trainer of a few steps of DPO with dropout on."""
    model, tokenizer = load(policy)
    data = Dataset.from_list([row._asdict() for row in rows()[6:30]])
    settings = DPOConfig(
        output_dir=str(out),
        max_steps=4,
        per_device_train_batch_size=4,
        logging_steps=1,
        disable_dropout=False,
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        max_length=90,
        **{"save_strategy": "no", "learning_rate": 5e-3, **more},
    )
    return DPOTrainer(
        model=model,
        args=settings,
        train_dataset=data,
        processing_class=tokenizer,
        callbacks=list(callbacks),
        peft_config=peft_config,
    )


def history(trainer: Any) -> list[tuple[float, float]]:
    return [(row["loss"], row["grad_norm"]) for row in trainer.state.log_history if "loss" in row]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def watch(**more: Any) -> OveroptCallback:
    settings = {"every": 2, "samples_per_prompt": 2, "max_new_tokens": 6} | more
    return OveroptCallback(PROMPTS, count_e, **settings)


def test_losses_are_the_same_bit_for_bit_and_the_log_is_one_that_measure_reads(
    policy: Path, tmp_path: Path
) -> None:
    plain = train_dpo(policy, tmp_path / "plain")
    plain.train()
    watched = train_dpo(policy, tmp_path / "watched", watch(gold=minus_length))
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
    first = train_dpo(policy, out, watch(reference=policy), save_strategy="steps", save_steps=2)
    first.train()
    log = out / "overopt.jsonl"
    whole = lines(log)
    log.write_text(log.read_text()[:-20])  # a crash cuts the last line
    again = train_dpo(policy, out, watch(reference=policy), save_strategy="steps", save_steps=2)
    again.train(resume_from_checkpoint=str(out / "checkpoint-2"))
    assert [row["step"] for row in lines(log)] == [0, 2, 4]
    assert lines(log)[2]["gold_sd" if "gold_sd" in whole[2] else "proxy_sd"] == pytest.approx(
        whole[2]["proxy_sd"]
    )
    blind = train_dpo(policy, out, watch(), save_strategy="steps", save_steps=2)
    with pytest.raises(UserError, match="give it as reference"):
        blind.train(resume_from_checkpoint=str(out / "checkpoint-2"))


def test_grpo_is_watched_too(policy: Path, tmp_path: Path) -> None:
    model, tokenizer = load(policy)
    tokenizer.padding_side = "left"

    def reward(completions: list[str], **_: Any) -> list[float]:
        return count_e([], completions)

    said: list[str] = []
    log = tmp_path / "mine.jsonl"
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=4,
            num_generations=2,
            max_completion_length=6,
            learning_rate=1e-2,
            report_to=[],
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([{"prompt": row.prompt} for row in rows()[6:20]]),
        processing_class=tokenizer,
        callbacks=[watch(every=1, log=log, say=said.append, limits=Limits(kl_nats=1e-9))],
    )
    trainer.train()
    assert [row["step"] for row in lines(log)] == [0, 1, 2]
    assert len(said) == 1 and "without gold nobody can tell" in said[0]


def test_what_cannot_work_is_refused(policy: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="every is 0"):
        watch(every=0)
    twice = OveroptCallback(PROMPTS[:1] * 2, count_e)
    with pytest.raises(UserError, match="occurs twice"):
        train_dpo(policy, tmp_path, twice).train()

    def broken(prompts: list[str], responses: list[str]) -> list[float]:
        return [float("nan")] * len(responses)

    with pytest.raises(UserError, match="finite number for each"):
        train_dpo(policy, tmp_path, OveroptCallback(PROMPTS, broken, max_new_tokens=4)).train()


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


def test_adapters_are_measured_against_the_model_without_them(policy: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    plain = load(policy)[0].eval()
    trainer = train_dpo(
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
