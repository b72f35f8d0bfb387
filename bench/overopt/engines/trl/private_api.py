"""The one place that knows private parts of TRL 1.16 and of transformers' trainer.

TRL brings the model's wrapping (PEFT, DDP, FSDP, DeepSpeed), mixed precision, gradient
checkpointing, the head that yields log-probabilities without building all logits, vLLM and
``generate``, and checkpoints. What is trained on, and down which loss, comes from a ``Work``.

The seams, each of which another version may move:
    DPOTrainer._prepare_dataset, ._precompute_ref_logps: skipped; rows come as token ids.
    RLOOTrainer._prepare_inputs: TRL samples and shuffles inside; here a ``Work`` does.
    RLOOTrainer._generate_single_turn, ._calculate_rewards: called for samples and rewards.
    Trainer._get_grad_norm: the last moment before an optimizer step.
    _BaseTrainer._send_telemetry: nothing is sent.
    model(..., labels=, fused_lm_head=True): TRL's head, patched into the model's ``forward``.
    trl.trainer.utils._CHUNKED_LOGPROB_CHUNK_SIZE: entries of the vocabulary handled at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
import trl.trainer.utils as trl_utils
from datasets import Dataset
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, IterableDataset
from transformers import PreTrainedModel, Trainer
from transformers.trainer_callback import PrinterCallback
from trl import DPOConfig, DPOTrainer, RLOOConfig, RLOOTrainer

from overopt.errors import UserError
from overopt.models.logprobs import suppressed_ids
from overopt.models.sequences import Batch, align
from overopt.worlds.tokens import PAD, Tokens

_LOWEST_LOGIT = -1e30
_VOCABULARY_CHUNK = 128


class Work(Protocol):
    """What a trainer is given to do, step by step."""

    @property
    def micro_batches(self) -> int:
        """Forward and backward passes of one process in one optimizer step."""
        ...

    @property
    def steps(self) -> int:
        """Optimizer steps after which the run ends at the latest."""
        ...

    @property
    def own_parameters(self) -> list[nn.Parameter]:
        """Parameters that are trained beside the model's."""
        ...

    @property
    def module_rate(self) -> float:
        """Their learning rate, relative to the model's."""
        ...

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0, as a fraction of its peak."""
        ...

    def turns(self, first_step: int) -> Iterator[Any]:
        """What each pass of this process works on, from a step on."""
        ...

    def prepare(self, turn: Any) -> Any:
        """The tensors of a turn, on the model's device."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """Loss of a pass, whose mean over passes and processes is the step's loss."""
        ...

    def check(self, gradient_norm: float) -> None:
        """Called before the optimizer steps; raises where the loss or gradient is not finite."""
        ...


class _Turns(IterableDataset[Any]):
    """A work's turns as a data set that goes on where the trainer stands."""

    def __init__(self, trainer: Any, work: Work) -> None:
        self._trainer, self._work = trainer, work

    def __len__(self) -> int:
        return self._work.steps * self._work.micro_batches

    def __iter__(self) -> Iterator[Any]:
        first_step = int(self._trainer.state.global_step)
        return ({"turn": turn} for turn in self._work.turns(first_step))


_SEAMS: dict[Any, tuple[str, ...]] = {
    DPOTrainer: ("_prepare_dataset", "_precompute_ref_logps", "_send_telemetry"),
    RLOOTrainer: ("_prepare_inputs", "_generate_single_turn", "_calculate_rewards"),
    Trainer: (
        "_get_grad_norm",
        "create_optimizer",
        "create_scheduler",
        "get_train_dataloader",
        "floating_point_ops",
    ),
    trl_utils: ("_CHUNKED_LOGPROB_CHUNK_SIZE", "add_fused_lm_head"),
}


def check_seams() -> None:
    """Refuse a TRL that lacks a part this engine leans on, whatever its version says.

    Raises:
        UserError: names the first part that is missing.
    """
    for owner, names in _SEAMS.items():
        for name in names:
            if not hasattr(owner, name):
                raise UserError(
                    f"The installed TRL or transformers is not as this version of it should be: "
                    f"{owner.__name__} has no {name}; install it anew, or give --engine native."
                )


def _itself(value: Any) -> Any:
    return value


class _Working:
    """What both trainers do differently from TRL's: everything of a step comes from a ``Work``."""

    work: Work

    def get_train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(_Turns(self, self.work), batch_size=None, collate_fn=_itself)

    def create_optimizer(self, *given: Any) -> Any:
        trainer: Any = self
        parent: Any = super()
        is_new = trainer.optimizer is None
        optimizer = parent.create_optimizer(*given)
        own = self.work.own_parameters
        if is_new and own:
            rate = self.work.module_rate * trainer.args.learning_rate
            optimizer.add_param_group({"params": own, "lr": rate, "weight_decay": 0.0})
        return optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        trainer: Any = self
        if trainer.lr_scheduler is None:
            trainer.lr_scheduler = LambdaLR(optimizer or trainer.optimizer, self.work.rate_at)
            trainer._created_lr_scheduler = True
        return trainer.lr_scheduler

    def _prepare_inputs(self, inputs: Any) -> Any:
        return self.work.prepare(inputs["turn"])

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, **_: Any
    ) -> Tensor:
        return self.work.loss(model, inputs)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        parent: Any = super()
        norm = parent._get_grad_norm(model, grad_norm=grad_norm)
        self.work.check(float(norm))
        return norm

    def floating_point_ops(self, inputs: Any) -> int:
        return 0

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Checkpoints are the run's own; nobody reads a card of them."""

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""


class PairsTrainer(_Working, DPOTrainer):
    """TRL's trainer of preference pairs, with the pairs as token ids and the loss as given."""

    def __init__(self, work: Work, **given: Any) -> None:
        self.work = work
        super().__init__(train_dataset=_one_row(), **given)
        _quieten(self)

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset


class RolloutTrainer(_Working, RLOOTrainer):
    """TRL's trainer on fresh samples, with sampling, advantages and loss as given."""

    def __init__(self, work: Work, **given: Any) -> None:
        self.work = work
        super().__init__(train_dataset=_one_row(), **given)
        _quieten(self)

    def generate_ids(self, prompts: Tokens) -> list[list[int]]:
        """One response of each prompt by TRL: vLLM where it was asked for, else ``generate``.

        vLLM expects the rows of a prompt one after another, as many as its group has.
        """
        ids = to_lists(prompts)
        responses: list[list[int]] = self._generate_single_turn(ids, None, {})
        return responses

    def rewards(self, prompts: Tokens, responses: Tokens) -> Tensor:
        """Rewards of all processes' responses, in the order of the processes."""
        asked, answered = to_lists(prompts), to_lists(responses)
        rows = [{"prompt": ids} for ids in asked]
        reward_W1: Tensor = self._calculate_rewards(rows, asked, answered, answered)
        return reward_W1[:, 0]


def pairs_config(**given: Any) -> Any:
    """TRL's configuration for ``PairsTrainer``; it loads no reference model by itself."""
    return DPOConfig(precompute_ref_log_probs=True, max_length=None, **given)


def rollout_config(suppressed: Sequence[int], **given: Any) -> Any:
    """TRL's configuration for ``RolloutTrainer``; without a penalty of TRL's own.

    vLLM has a copy of the model that does not know of ``exclude_suppressed``, so it is told which
    tokens are never emitted.
    """
    if given.get("use_vllm") and suppressed:
        given["generation_kwargs"] = {"logit_bias": {token: -100.0 for token in suppressed}}
    return RLOOConfig(beta=0.0, temperature=1.0, top_k=0, top_p=1.0, **given)


RESERVED = frozenset(
    {
        "beta",
        "generation_kwargs",
        "max_completion_length",
        "max_length",
        "num_generations",
        "per_device_train_batch_size",
        "precompute_ref_log_probs",
        "temperature",
        "top_k",
        "top_p",
        "use_vllm",
    }
)
"""Arguments of TRL's configurations that are set here and in the engines of the families."""


def config_fields(family: str) -> frozenset[str]:
    """Names of the arguments that TRL's configuration of a family has."""
    config = DPOConfig if family == "pairs" else RLOOConfig
    return frozenset(config.__dataclass_fields__)


def exclude_suppressed(model: PreTrainedModel) -> None:
    """Give tokens that the policy never emits the probability 0 in the model's own head.

    The head's bias becomes very negative there, so that whatever TRL computes with the head, be it
    log-probabilities or ``generate``, follows ``logprobs.token_logps``. A head without a bias gets
    one that is neither trained nor saved.
    """
    suppressed = suppressed_ids(model)
    if not suppressed:
        return
    head: Any = model.get_output_embeddings()
    if head.bias is not None:
        with torch.no_grad():
            head.bias[suppressed] = _LOWEST_LOGIT
        return
    del head._parameters["bias"]
    bias_V = torch.zeros(head.weight.shape[0], dtype=head.weight.dtype, device=head.weight.device)
    bias_V[suppressed] = _LOWEST_LOGIT
    head.register_buffer("bias", bias_V, persistent=False)


@contextmanager
def fitted_head(vocabulary_size: int) -> Iterator[None]:
    """Let TRL's head handle no more of the vocabulary at once than there is.

    Its buffers are 32,768 entries wide; where the vocabulary is smaller, most of that is waste.
    """
    width = trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE
    rounded = -(-vocabulary_size // _VOCABULARY_CHUNK) * _VOCABULARY_CHUNK
    trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE = min(width, rounded)
    try:
        yield
    finally:
        trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE = width


def fused_response_logps(model: nn.Module, batch: Batch) -> Tensor:
    """Log-probability in nats of each response token, through TRL's head, differentiable.

    The same numbers as ``logprobs.response_logps``, without the logits of the whole vocabulary in
    memory.

    Args:
        model: as TRL's trainer wrapped it.
        batch: B joined rows.

    Returns:
        float32 (B, T), zero on padding.
    """
    position_L = torch.arange(batch.ids_BL.shape[1], device=batch.ids_BL.device)
    answer_BL = (position_L >= batch.prompt_length_B[:, None]) & (batch.attention_BL == 1)
    output = model(
        input_ids=batch.ids_BL,
        attention_mask=batch.attention_BL,
        labels=batch.ids_BL.masked_fill(~answer_BL, -100),
        fused_lm_head=True,
    )
    return align(output.log_probs[:, batch.prompt_length_min - 1 :], batch)


def to_lists(tokens: Tokens) -> list[list[int]]:
    """Every row's token ids, without padding."""
    return [ids[:n].tolist() for ids, n in zip(tokens.ids_NT, tokens.length_N, strict=True)]


def from_lists(rows: Sequence[Sequence[int]]) -> Tokens:
    """Tokens of rows of ids; the inverse of ``to_lists``."""
    width = max((len(ids) for ids in rows), default=0)
    padded = [[*ids, *([PAD] * (width - len(ids)))] for ids in rows]
    ids_NT = torch.tensor(padded, dtype=torch.int32).reshape(len(rows), width).numpy()
    length_N = torch.tensor([len(ids) for ids in rows], dtype=torch.int32).numpy()
    return Tokens(ids_NT, length_N)


def _one_row() -> Dataset:
    """TRL wants a data set to look at; the rows that are trained on come from the work."""
    return Dataset.from_dict({"prompt": [""]})


def _quieten(trainer: Any) -> None:
    trainer.remove_callback(PrinterCallback)
