"""One piece of work for every engine: the same pairs, or as many fresh samples, on equal models.

native, inside: this package's two engines. default: TRL's own trainer as it comes, with GPT-2's own
activation, and only those arguments changed without which it does not start on a processor. tuned:
TRL's own trainer with all that makes it faster: the activation as one fused kernel, reference
log-probabilities scored once, a head no wider than the vocabulary, no logging.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import trl.trainer.utils as trl_utils
from datasets import Dataset
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from trl import DPOConfig, DPOTrainer, RLOOConfig, RLOOTrainer

from engines.fixed_probe import FixedProbe
from overopt.engines.contract import Randomness, RunInputs
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.pairs import optimize_pairs
from overopt.engines.rollout import optimize_rollout
from overopt.engines.trl.pairs import optimize_pairs as optimize_pairs_trl
from overopt.engines.trl.rollout import optimize_rollout as optimize_rollout_trl
from overopt.engines.trl.training import TrlSetup
from overopt.execution.contract import silent
from overopt.methods.pairs import dpo
from overopt.methods.rollout import rloo
from overopt.models.folders import build_tokenizer, save_model
from overopt.models.starts.scratch import build_policy
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.training import ArchitectureSpec
from overopt.spec.trl import TrlSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import BOS, EOS, SEP, SPECIALS, Tokens

Engine = Literal["native", "inside", "tuned", "default"]
Family = Literal["pairs", "rollout"]
Run = Callable[[], int]

PROMPT_TOKENS, RESPONSE_TOKENS = 8, 24
CONTEXT_TOKENS = PROMPT_TOKENS + RESPONSE_TOKENS
LEARNING_RATE = 1e-4
SAMPLES_PER_PROMPT = 4
VOCABULARY = (*SPECIALS, *(f"w{word}" for word in range(96)))
NEEDED: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "activation_checkpointing": False,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "learning_rate": LEARNING_RATE,
}


class Size(NamedTuple):
    """A model, the pairs or responses of a step, and how many steps are timed.

    stop: what is added to the logit of the token that ends a response, about. Without it, fresh
    samples of an untrained model nearly all run to the limit.
    """

    architecture: ArchitectureSpec
    rows: int
    steps: int
    stop: float = 0.0


TINY = Size(ArchitectureSpec(layers=2, width=64, heads=4), rows=64, steps=24)
VARIED = TINY._replace(stop=2.0)  # 12 of 24 tokens in the mean, as on the task reviews
SMALL = Size(ArchitectureSpec(layers=6, width=384, heads=6), rows=16, steps=3)


def prepare(engine: Engine, family: Family, size: Size, folder: Path) -> Run:
    """A run of ``size.steps`` steps, which returns the steps that it took; nothing is shared."""
    start = build_policy(size.architecture, len(VOCABULARY), CONTEXT_TOKENS, seed=0).eval()
    _lean_to_stopping(start, size.stop)
    if engine == "default":
        start = _as_it_comes(start)
    build = {
        ("native", "pairs"): _native_pairs,
        ("inside", "pairs"): _inside_pairs,
        ("native", "rollout"): _native_rollout,
        ("inside", "rollout"): _inside_rollout,
    }.get((engine, family))
    if build is not None:
        return build(start, size, folder)
    stock = _stock_pairs if family == "pairs" else _stock_rollout
    return stock(start, size, folder, engine == "tuned")


def _native_pairs(start: PreTrainedModel, size: Size, folder: Path) -> Run:
    inputs = _run_inputs(start, size)
    method, settings = OpenedPairs(dpo, dpo.Config()), _pairs_settings(size)
    return lambda: optimize_pairs(method, settings, inputs).compute.gradient_steps


def _inside_pairs(start: PreTrainedModel, size: Size, folder: Path) -> Run:
    inputs, setup = _run_inputs(start, size), _setup(folder)
    method, settings = OpenedPairs(dpo, dpo.Config()), _pairs_settings(size)
    return lambda: optimize_pairs_trl(method, settings, inputs, setup).compute.gradient_steps


def _stock_pairs(start: PreTrainedModel, size: Size, folder: Path, tuned: bool) -> Run:
    pairs = _preferences(size)
    rows = zip(_text(pairs.prompts), _text(pairs.chosen), _text(pairs.rejected), strict=True)
    quiet = {"logging_strategy": "no", "precompute_ref_log_probs": True} if tuned else {}
    with _narrow_head(tuned):
        trainer = DPOTrainer(
            copy.deepcopy(start),
            ref_model=copy.deepcopy(start),
            args=DPOConfig(
                str(folder),
                per_device_train_batch_size=size.rows,
                max_length=None,
                max_steps=size.steps,
                **NEEDED,
                **quiet,
            ),
            train_dataset=Dataset.from_list(
                [{"prompt": x, "chosen": f" {w}", "rejected": f" {r}"} for x, w, r in rows]
            ),
            processing_class=_tokenizer(),
        )
    example = trainer.train_dataset[0]
    assert len(example["prompt_ids"]) == PROMPT_TOKENS
    assert len(example["chosen_ids"]) == RESPONSE_TOKENS
    return lambda: _train(trainer, tuned)


def _native_rollout(start: PreTrainedModel, size: Size, folder: Path) -> Run:
    inputs = _run_inputs(start, size)
    method, settings = OpenedRollout(rloo, rloo.Config(beta=0.05)), _rollout_settings(size)
    return lambda: optimize_rollout(method, settings, inputs).compute.gradient_steps


def _inside_rollout(start: PreTrainedModel, size: Size, folder: Path) -> Run:
    inputs, setup = _run_inputs(start, size), _setup(folder)
    method, settings = OpenedRollout(rloo, rloo.Config(beta=0.05)), _rollout_settings(size)
    return lambda: optimize_rollout_trl(method, settings, inputs, setup).compute.gradient_steps


def _stock_rollout(start: PreTrainedModel, size: Size, folder: Path, tuned: bool) -> Run:
    save_model(start, folder / "start", VOCABULARY)
    quiet = {"logging_strategy": "no"} if tuned else {}

    def length(completion_ids: list[list[int]], **rest: object) -> list[float]:
        return [float(len(ids)) for ids in completion_ids]

    with _narrow_head(tuned):
        trainer = RLOOTrainer(
            str(folder / "start"),
            reward_funcs=length,
            args=RLOOConfig(
                str(folder / "out"),
                per_device_train_batch_size=size.rows,
                num_generations=SAMPLES_PER_PROMPT,
                max_completion_length=RESPONSE_TOKENS,
                beta=0.05,
                max_steps=size.steps,
                **NEEDED,
                **quiet,
            ),
            train_dataset=Dataset.from_list(
                [{"prompt": prompt} for prompt in _text(_prompts(size.rows * size.steps))]
            ),
            processing_class=_tokenizer(),
        )
    return lambda: _train(trainer, tuned)


def _train(trainer: Any, tuned: bool) -> int:
    with _narrow_head(tuned):
        return int(trainer.train().global_step)


@contextmanager
def _narrow_head(tuned: bool) -> Iterator[None]:
    wide = trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE
    trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE = 128 if tuned else 32768
    try:
        yield
    finally:
        trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE = wide


def _lean_to_stopping(start: PreTrainedModel, stop: float) -> None:
    """Point the bias before the tied head at the ending token."""
    model: Any = start
    with torch.no_grad():
        ending_D = model.transformer.wte.weight[EOS]
        model.transformer.ln_f.bias += stop * ending_D / ending_D.square().sum()


def _as_it_comes(start: PreTrainedModel) -> PreTrainedModel:
    """The same weights with GPT-2's own activation, which is written in Python."""
    config = copy.deepcopy(start.config)
    config.activation_function = "gelu_new"
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(start.state_dict())
    model.generation_config = start.generation_config
    return model.eval()


def _preferences(size: Size) -> Preferences:
    rows = size.rows * size.steps
    return Preferences(_prompts(rows), _responses(rows, 2), _responses(rows, 3))


def _words(rows: int, width: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(4, len(VOCABULARY), (rows, width))


def _prompts(rows: int) -> Tokens:
    column = np.ones((rows, 1), np.int64)
    middle = _words(rows, PROMPT_TOKENS - 2, seed=1)
    return Tokens.from_padded(np.concatenate([BOS * column, middle, SEP * column], 1))


def _responses(rows: int, seed: int) -> Tokens:
    column = np.full((rows, 1), EOS, np.int64)
    return Tokens.from_padded(
        np.concatenate([_words(rows, RESPONSE_TOKENS - 1, seed=seed), column], 1)
    )


def _text(tokens: Tokens) -> list[str]:
    return [" ".join(VOCABULARY[token] for token in line) for line in tokens.ids_NT.tolist()]


def _tokenizer() -> PreTrainedTokenizerBase:
    return build_tokenizer(VOCABULARY, CONTEXT_TOKENS)


def _pairs_settings(size: Size) -> PairsSpec:
    return PairsSpec(
        learning_rate=LEARNING_RATE,
        batch_size=size.rows,
        max_steps=size.steps,
        warmup_steps=0,
        max_gradient_norm=1.0,
    )


def _rollout_settings(size: Size) -> RolloutSpec:
    return RolloutSpec(
        learning_rate=LEARNING_RATE,
        prompts_per_step=size.rows // SAMPLES_PER_PROMPT,
        samples_per_prompt=SAMPLES_PER_PROMPT,
        max_steps=size.steps,
        warmup_steps=0,
        max_gradient_norm=1.0,
    )


def _run_inputs(start: PreTrainedModel, size: Size) -> RunInputs:
    return RunInputs(
        policy=copy.deepcopy(start),
        reference=start,
        prompts=_prompts(size.rows * size.steps),
        preferences=_preferences(size),
        reward=_reward,
        max_new_tokens=RESPONSE_TOKENS,
        budgets_nats=(),
        randomness=Randomness(np.random.default_rng(0), torch.Generator().manual_seed(0)),
        kl_probe=FixedProbe(1.0),
        progress=silent,
    )


def _setup(folder: Path) -> TrlSetup:
    return TrlSetup(TrlSpec(checkpoint_steps=0), _tokenizer(), folder / "checkpoints", seed=0)


def _reward(prompts: Tokens, responses: Tokens) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return responses.length_N.astype(np.float64)
