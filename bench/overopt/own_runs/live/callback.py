"""A callback that watches a live run: KL, proxy and gold on fixed prompts every few steps.

It works with every trainer built on transformers' ``Trainer``, TRL's among them, and changes
nothing about the training: no global random state is read or written, gradients are off, and each
module's mode is put back.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, TrainerCallback

from overopt.artifacts.text_rewards import OwnReward, TextReward, open_classifier
from overopt.errors import UserError
from overopt.models.sampling import stop_ids
from overopt.monitors.contract import Look
from overopt.own_runs.live.alarms import Alarms, Limits, Seen
from overopt.own_runs.live.log import LiveLog
from overopt.own_runs.live.prompts import LivePrompts, Prompt
from overopt.own_runs.watching.verdicts import LiveMonitors
from overopt.spec.origins import ReaderOrigin
from overopt.stages.runs.rows import Draw, PolicyRows, Rewards, measure_rows, spread, summarize
from overopt.worlds.contract import Gold

LOG_NAME = "overopt.jsonl"


class OveroptCallback(TrainerCallback):
    """Measures a policy in training on fixed prompts, and says when it should be looked at.

    Every ``every`` steps the policy is sampled at temperature 1, and a line is appended to a log
    that ``bench measure`` reads: Rao-Blackwellized KL from the reference with k1, k2 and k3 beside
    it, proxy, gold, length, entropy, distinct n-grams. The first line is the initial policy.

    Args:
        prompts: texts, or conversations as lists of messages; held out from training.
        proxy: the reward that is optimized: a function (prompts, responses) -> numbers, or the
            folder of a sequence classifier.
        gold: what is wanted, likewise; None where there is none.
        reference: the policy that training starts from: a model, or its folder. By default the
            weights that training begins with are copied, which costs their memory once more; of a
            model with adapters (peft) nothing is copied, its adapters are switched off.
        every: steps between measurements.
        samples_per_prompt: samples of each prompt.
        max_new_tokens: longest response.
        log: the log; by default overopt.jsonl in the trainer's output folder.
        template: how the policy reads a prompt: text with ``{prompt}``, or ``chat``.
        reward_template: how a classifier reads: text with ``{prompt}`` and ``{response}``, or
            ``chat``.
        seed: of the samples.
        limits: what raises an alarm.
        monitors: names of ``bench list monitors`` or files of your own, at the limits of their
            files; each says once when it rings, or what it would need.
        say: where alarms go; by default the console.
    """

    def __init__(
        self,
        prompts: Sequence[Prompt],
        proxy: TextReward | str | Path,
        *,
        gold: TextReward | str | Path | None = None,
        reference: PreTrainedModel | str | Path | None = None,
        every: int = 50,
        samples_per_prompt: int = 4,
        max_new_tokens: int = 128,
        log: str | Path | None = None,
        template: str = "{prompt}",
        reward_template: str = "{prompt}{response}",
        seed: int = 0,
        limits: Limits | None = None,
        monitors: Sequence[str] = (),
        say: Callable[[str], None] | None = None,
    ) -> None:
        for name, value in (
            ("every", every),
            ("samples_per_prompt", samples_per_prompt),
            ("max_new_tokens", max_new_tokens),
            ("the number of prompts", len(prompts)),
        ):
            if value < 1:
                raise UserError(f"OveroptCallback: {name} is {value}; give at least 1")
        self._prompts, self._proxy, self._gold = list(prompts), proxy, gold
        self._reference = reference
        self._every, self._draw = every, Draw(samples_per_prompt, max_new_tokens, seed)
        self._log = Path(log) if log is not None else None
        self._template, self._reward_template = template, reward_template
        self._alarms = Alarms(limits or Limits())
        self._monitors = LiveMonitors(monitors)
        self._say = say or _say
        self._run: _Run | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Open everything, and measure the initial policy."""
        self._run = None
        self._alarms.begin()
        self._monitors.begin()
        if not state.is_world_process_zero:
            return
        _check_whole(args)
        step = int(state.global_step)
        model = given["model"]
        log = LiveLog(self._log or Path(args.output_dir) / LOG_NAME)
        if step > 0 and self._reference is None and not _has_adapters(model):
            raise UserError(
                "OveroptCallback: training resumes, so its initial policy is not at hand; give it "
                "as reference"
            )
        prompts = LivePrompts(self._prompts, given["processing_class"], self._template)
        if not stop_ids(model):
            raise UserError(
                "OveroptCallback: the model names no token that ends a response; set "
                "model.generation_config.eos_token_id"
            )
        reference = _open_reference(self._reference, model)
        rewards = Rewards(
            self._open(self._proxy, prompts, "proxy"),
            None if self._gold is None else self._open(self._gold, prompts, "gold"),
        )
        self._run = _Run(prompts, reference, rewards, log, self._draw)
        log.begin(step)
        if step > 0:
            self._run.see_initial(model)
        else:
            self._measure(model, 0)

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Measure where a measurement is due."""
        if self._run is not None and state.global_step % self._every == 0:
            self._measure(given["model"], int(state.global_step))

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Measure the last policy."""
        if self._run is not None and self._run.last_step != state.global_step:
            self._measure(given["model"], int(state.global_step))

    def _measure(self, model: PreTrainedModel, step: int) -> None:
        assert self._run is not None
        self._run.measure(model, step)
        for alarm in self._alarms.look(self._run.seen):
            self._say(f"overopt, step {step}: {alarm}.")
        for line in self._monitors.look(self._run.looks):
            self._say(f"overopt, step {step}: {line}.")

    def _open(self, source: TextReward | str | Path, prompts: LivePrompts, role: str) -> Gold:
        if callable(source):
            return OwnReward(source, prompts, role)
        origin = ReaderOrigin(path=str(source), format=self._reward_template)
        return open_classifier(origin, prompts, role)


class _Run:
    """One training: what stays open during it."""

    def __init__(
        self,
        prompts: LivePrompts,
        reference: PreTrainedModel | None,
        rewards: Rewards,
        log: LiveLog,
        draw: Draw,
    ) -> None:
        self._prompts, self._reference, self._rewards = prompts, reference, rewards
        self._log, self._draw = log, draw
        self._units: dict[str, Any] = {}
        self._start_proxy = 0.0
        self.seen: list[Seen] = []
        self.looks: list[Look] = []
        self.last_step = -1

    def measure(self, model: PreTrainedModel, step: int) -> None:
        """Measure a policy and write the line."""
        with _at_rest(model):
            rows = self._rows(model, model, step)
        if not self.seen:
            self._begin(rows)
        found = summarize(rows, step, tuple(stop_ids(model)))
        self._log.append({**found, **self._units})
        self.seen.append(_seen(rows, step))
        self.looks.append(self._look(rows, step))
        self.last_step = step

    def see_initial(self, model: PreTrainedModel) -> None:
        """Measure the initial policy without a line: a resumed run has its own already."""
        with _at_rest(model):
            rows = self._rows(self._reference_of(model), model, 0)
        self._begin(rows)
        self.seen.append(_seen(rows, 0))
        self.looks.append(self._look(rows, 0))

    def _begin(self, rows: PolicyRows) -> None:
        """Keep what later policies are compared with."""
        self._units = spread(rows)
        self._start_proxy = float(rows.proxy_BN.mean())

    def _look(self, rows: PolicyRows, step: int) -> Look:
        """What monitors see of a policy."""
        gain = float(rows.proxy_BN.mean()) - self._start_proxy
        return Look(
            step=step,
            kl_nats=float(rows.kl_rb_BN.mean()),
            length=float(rows.length_BN.mean()),
            entropy_nats=float(rows.entropy_BN.mean()),
            reward=gain / self._units.get("proxy_sd", 1.0),
        )

    def _rows(self, policy: PreTrainedModel, model: PreTrainedModel, step: int) -> PolicyRows:
        reference = self._reference_of(model)
        return measure_rows(
            policy, reference, self._prompts.tokens, self._rewards, self._draw, step
        )

    def _reference_of(self, model: PreTrainedModel) -> PreTrainedModel:
        """The reference; of a model with adapters, the model without them."""
        if self._reference is not None:
            return self._reference
        bare: Any = _Unadapted(model)
        return bare


class _Unadapted:
    """A model with adapters, computed without them."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, *given: Any, **named: Any) -> Any:
        with self._model.disable_adapter():
            return self._model(*given, **named)


def _has_adapters(model: Any) -> bool:
    return hasattr(model, "disable_adapter")


def _open_reference(
    given: PreTrainedModel | str | Path | None, model: PreTrainedModel
) -> PreTrainedModel | None:
    """The reference beside the model; None where the model without its adapters is it."""
    if given is None:
        if _has_adapters(model):
            return None
        copied: PreTrainedModel = copy.deepcopy(model)
        # a trainer's own forward is a closure over the model, and would compute with its weights
        copied.__dict__.pop("forward", None)
        return copied.requires_grad_(False).eval()
    if isinstance(given, str | Path):
        if not (Path(given) / "config.json").is_file():
            raise UserError(
                f"OveroptCallback: reference {given} is no model folder; give a model, or a folder "
                "that save_pretrained has written"
            )
        loaded: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            given, local_files_only=True, use_safetensors=True, dtype=model.dtype
        )
        return loaded.requires_grad_(False).eval().to(model.device)
    return given


def _check_whole(args: Any) -> None:
    """Refuse weights that no process holds whole."""
    if getattr(args, "fsdp", None) or getattr(args, "deepspeed", None):
        raise UserError(
            "OveroptCallback: with FSDP or DeepSpeed no process holds the whole policy; save "
            "checkpoints, and measure them with bench measure --policy"
        )


def _seen(rows: PolicyRows, step: int) -> Seen:
    gold_B = None if rows.gold_BN is None else rows.gold_BN.mean(1)
    return Seen(step, float(np.mean(rows.kl_rb_BN)), gold_B, rows.length_BN.mean(1))


def _say(text: str) -> None:
    sys.stderr.write(f"\n{text}\n")
    sys.stderr.flush()


@contextmanager
def _at_rest(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode and the class's own forward inside the block; then all is as it was.

    Trainers patch ``forward`` for their loss and for mixed precision; the policy that is measured
    is that of its weights, as it is when they are loaded again.
    """
    modes = [(module, module.training) for module in model.modules()]
    patched = None if hasattr(model, "_hf_hook") else model.__dict__.pop("forward", None)
    model.eval()
    try:
        yield
    finally:
        if patched is not None:
            model.__dict__["forward"] = patched
        for module, training in modes:
            module.training = training
