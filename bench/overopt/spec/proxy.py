"""Proxy reward models: how they are built and trained."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec, absent
from overopt.spec.origins import ReaderOrigin
from overopt.spec.score_error import ScoreErrorSpec
from overopt.spec.training import ArchitectureSpec, TrainingSpec

ProxyStart = Literal["scratch", "policy", "base"]
"""What a proxy is before it learns: random weights of its own architecture, or the initial policy
or another model with a fresh scalar head."""


class ProxySpec(Spec):
    """Bradley-Terry reward models trained on the preference data; ensembles take more members.

    They start from scratch where there is an ``architecture``, on a hub world from ``base`` where
    there is one, and otherwise from the initial policy: its width, depth and pretraining, which
    are also those of the implicit reward of methods such as DPO. The head is always fresh.

    correlation: of each attribute of the gold rule with the first, over the pairs, as systems whose
        members learn attributes are told of them; None: as the rule has it.
    error: planted in the scores of trained proxies; see ``ScoreErrorSpec``.
    """

    architecture: ArchitectureSpec | None = Field(default=None, exclude_if=absent)
    base: ReaderOrigin | None = Field(default=None, exclude_if=absent)
    comparisons: int = Field(gt=0)
    training: TrainingSpec
    calibration_samples: int = Field(1024, gt=1)
    correlation: float | None = Field(default=None, gt=-1, lt=1, exclude_if=absent)
    error: ScoreErrorSpec | None = Field(default=None, exclude_if=absent)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.architecture is not None and self.base is not None:
            raise ValueError("a proxy starts from base or from an architecture, not from both")
        return self

    @property
    def start(self) -> ProxyStart:
        """What they start from."""
        if self.architecture is not None:
            return "scratch"
        return "policy" if self.base is None else "base"

    @property
    def width(self) -> int | None:
        """Width of proxies made from scratch; None where they start from a model."""
        return self.architecture.width if self.architecture else None

    def started(self, start: ProxyStart) -> Self:
        """The same from another start: what the others would start from is left out.

        Raises:
            ValueError: there is no architecture, or no base, to start from.
        """
        if start == "policy":
            return self.model_copy(update={"architecture": None, "base": None})
        if start != self.start:
            raise ValueError(f"proxies that start from {self.start} cannot start from {start}")
        return self

    def resized(self, width: int | None, comparisons: int) -> Self:
        """The same with another width (None: as it is) and another number of comparisons."""
        architecture = self.architecture
        if architecture is not None and width is not None:
            architecture = architecture.model_copy(update={"width": width})
        return self.model_copy(update={"architecture": architecture, "comparisons": comparisons})
