"""The one place that knows private parts of TRL 1.16's trainers and of transformers'.

TRL brings the model's wrapping (PEFT, DDP, FSDP, DeepSpeed), mixed precision, gradient
checkpointing, its head (``head.py``), vLLM and ``generate``, and checkpoints. What is trained on,
and down which loss, comes from a run.

The private parts, each of which another version may move:
    DPOTrainer._prepare_dataset, ._precompute_ref_logps: skipped; rows come as token ids.
    RLOOTrainer._prepare_inputs: TRL samples and shuffles inside; here the run does.
    RLOOTrainer._generate_single_turn, ._calculate_rewards: called for samples and rewards.
    Trainer._get_grad_norm: the last moment before an optimizer step.
    _BaseTrainer._send_telemetry: nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import trl.trainer.utils as trl_utils
from datasets import Dataset
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, IterableDataset
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback
from trl import DPOConfig, DPOTrainer, RLOOConfig, RLOOTrainer

from overopt.engines.contract import Reward
from overopt.engines.trl.token_lists import from_lists, to_lists
from overopt.errors import UserError
from overopt.worlds.tokens import Tokens


class TrainerWork(Protocol):
    """What a trainer asks of a run, step by step; named after the trainer's own methods."""

    @property
    def gradient_accumulation_steps(self) -> int:
        """Forward and backward passes of one process in one optimizer step."""
        ...

    @property
    def trainer_steps(self) -> int:
        """Optimizer steps after which the trainer ends at the latest."""
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

    def train_inputs(self, first_step: int) -> Iterator[Any]:
        """What each pass of this process works on, from a step on."""
        ...

    def prepare_inputs(self, inputs: Any) -> Any:
        """The tensors of a pass, on the model's device."""
        ...

    def compute_loss(self, model: nn.Module, inputs: Any) -> Tensor:
        """Loss of a pass, whose mean over passes and processes is the step's loss."""
        ...

    def on_pre_optimizer_step(self, gradient_norm: float) -> None:
        """Called before the optimizer steps; raises where the loss or gradient is not finite."""
        ...


class _Inputs(IterableDataset[Any]):
    """A run's passes as a data set that goes on where the trainer stands."""

    def __init__(self, trainer: Any, work: TrainerWork) -> None:
        self._trainer, self._work = trainer, work

    def __len__(self) -> int:
        return self._work.trainer_steps * self._work.gradient_accumulation_steps

    def __iter__(self) -> Iterator[Any]:
        first_step = int(self._trainer.state.global_step)
        return ({"inputs": inputs} for inputs in self._work.train_inputs(first_step))


_PARTS: dict[Any, tuple[str, ...]] = {
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


def check_private_api() -> None:
    """Refuse a TRL that lacks a part this engine leans on, whatever its version says.

    Raises:
        UserError: names the first part that is missing.
    """
    for owner, names in _PARTS.items():
        for name in names:
            if name not in dir(owner):
                raise UserError(
                    f"The installed TRL or transformers is not as this version of it should be: "
                    f"{owner.__name__} has no {name}; install it anew, or give --engine native."
                )


def _itself(value: Any) -> Any:
    return value


class _Working:
    """What both trainers do differently from TRL's: all of a step comes from ``TrainerWork``."""

    work: TrainerWork

    def get_train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(_Inputs(self, self.work), batch_size=None, collate_fn=_itself)

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
        return self.work.prepare_inputs(inputs["inputs"])

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, **_: Any
    ) -> Tensor:
        return self.work.compute_loss(model, inputs)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        parent: Any = super()
        norm = parent._get_grad_norm(model, grad_norm=grad_norm)
        self.work.on_pre_optimizer_step(float(norm))
        return norm

    def floating_point_ops(self, inputs: Any) -> int:
        return 0

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Checkpoints are the run's own; nobody reads a card of them."""

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""


class PairsTrainer(_Working, DPOTrainer):
    """TRL's trainer of preference pairs, with the pairs as token ids and the loss as given."""

    def __init__(self, work: TrainerWork, **given: Any) -> None:
        self.work = work
        super().__init__(train_dataset=_one_row(), **given)
        _quieten(self)

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset


class RolloutTrainer(_Working, RLOOTrainer):
    """TRL's trainer on fresh samples, with sampling, advantages and loss as given.

    The reward sees token ids, never decoded text.
    """

    def __init__(self, work: TrainerWork, reward: Reward, **given: Any) -> None:
        self.work = work

        def proxy(prompts: Any, completions: Any, completion_ids: Any, **_: Any) -> list[float]:
            rewards: list[float] = reward(from_lists(prompts), from_lists(completion_ids)).tolist()
            return rewards

        super().__init__(train_dataset=_one_row(), reward_funcs=[proxy], **given)
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


def _one_row() -> Dataset:
    """TRL wants a data set to look at; the rows that are trained on come from the run."""
    return Dataset.from_dict({"prompt": [""]})


def _quieten(trainer: Any) -> None:
    trainer.remove_callback(PrinterCallback)
