"""What is asked of checkpoints, and the stages that answer it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from overopt.execution.node import Node
from overopt.spec.placement import ACCELERATED_PARAMETERS


@dataclass(frozen=True)
class CheckpointRequest:
    """What is measured, as typed.

    Attributes:
        policy: a folder of checkpoints, one checkpoint, or NAME@REVISION.
        reference: the policy that training started from, likewise.
        proxy, gold: a classifier, likewise, or a .py file; gold may be missing.
        prompts: the file of prompts.
        samples: per prompt.
        max_new_tokens: longest response.
        template, reward_template: how the policy and the rewards read.
        seed: of the samples.
        dtype: precision of all models.
    """

    policy: str
    reference: str
    proxy: str
    gold: str | None
    prompts: Path
    samples: int = 4
    max_new_tokens: int = 128
    template: str = "{prompt}"
    reward_template: str = "{prompt}{response}"
    seed: int = 0
    dtype: str = "float32"


class Plan(NamedTuple):
    """What would be measured.

    Attributes:
        nodes: the stages, the initial policy first.
        checkpoints: how many there are.
        largest: parameters of the largest model; 0 where they are not known.
    """

    nodes: list[Node]
    checkpoints: int
    largest: int

    @property
    def runs_alone(self) -> bool:
        """Whether a stage has models of a size that fills the memory of an accelerator."""
        return self.largest >= ACCELERATED_PARAMETERS
