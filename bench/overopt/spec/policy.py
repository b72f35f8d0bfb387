"""The initial policy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec, absent
from overopt.spec.training import ArchitectureSpec, TrainingSpec


class PolicySpec(Spec):
    """The initial policy: its architecture, and SFT on ``examples`` reference texts.

    On a hub world the architecture is the model folder's, and no examples mean the model as it is.
    """

    architecture: ArchitectureSpec | None = Field(default=None, exclude_if=absent)
    examples: int = Field(ge=0)
    training: TrainingSpec | None = Field(default=None, exclude_if=absent)

    @property
    def start(self) -> Literal["scratch", "base"]:
        """What it is before any training: random weights, or the model that the world names."""
        return "scratch" if self.architecture else "base"

    @model_validator(mode="after")
    def _training_goes_with_examples(self) -> Self:
        if (self.examples > 0) != (self.training is not None):
            raise ValueError("examples above 0 need [policy.training], and 0 examples take none")
        return self
