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
        policies: folders of checkpoints, single checkpoints, or NAME@REVISION; several are seeds of
            the same training.
        reference: the policy that training started from, likewise.
        proxy, gold: a classifier, likewise, or a .py file; gold may be missing.
        prompts: the file of prompts.
        samples: per prompt.
        max_new_tokens: longest response.
        template, reward_template: how the policy and the rewards read.
        seed: of the samples.
        dtype: precision of all models.
    """

    policies: tuple[str, ...]
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
        runs: the stages of each policy, the initial policy, which all share, first.
        largest: parameters of the largest model; 0 where they are not known.
    """

    runs: tuple[tuple[Node, ...], ...]
    largest: int

    @property
    def nodes(self) -> list[Node]:
        """All stages, each once."""
        return list({made.key: made for run in self.runs for made in run}.values())

    @property
    def checkpoints(self) -> int:
        """How many checkpoints there are."""
        return len(self.nodes) - 1

    @property
    def runs_alone(self) -> bool:
        """Whether a stage has models of a size that fills the memory of an accelerator."""
        return self.largest >= ACCELERATED_PARAMETERS
