"""How the trl engine runs on its machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from overopt.spec.frozen import Spec


class TrlSpec(Spec):
    """How the trl engine runs on its machine; the mathematics and the data are not touched.

    processes: each with its own device and share of every batch; started by ``torchrun``, or by
        ``accelerate launch`` with ``accelerate_config`` where that names a file.
    micro_batch: most pairs (or responses) of one forward pass of a process; 0 for no limit.
    lora_rank: rank of the trained adapters; 0 trains all weights. ``lora_alpha`` scales them
        (0: twice the rank), ``lora_targets`` names the layers (none: all but the head).
    generation: who samples: this package's sampler (the same responses as the native engine),
        transformers' ``generate``, or vLLM.
    checkpoint_steps: steps between checkpoints that an interrupted run goes on from; 0 for none.
    arguments: any other argument of TRL's configuration, such as ``vllm_mode`` or ``deepspeed``.
    """

    processes: int = Field(default=1, ge=1)
    accelerate_config: str = ""
    micro_batch: int = Field(default=0, ge=0)
    bf16: bool = False
    gradient_checkpointing: bool = False
    lora_rank: int = Field(default=0, ge=0)
    lora_alpha: float = Field(default=0.0, ge=0)
    lora_targets: tuple[str, ...] = ()
    generation: Literal["overopt", "transformers", "vllm"] = "overopt"
    checkpoint_steps: int = Field(default=50, ge=0)
    arguments: dict[str, bool | int | float | str] = Field(default_factory=dict)

    @field_validator("lora_targets", mode="before")
    @classmethod
    def _targets_from_list(cls, targets: object) -> object:
        return tuple(targets) if isinstance(targets, list) else targets
