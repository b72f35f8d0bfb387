"""Proxy reward models: how they are built and trained."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from overopt.spec.frozen import ArchitectureSpec, Spec, TrainingSpec, absent
from overopt.spec.origins import ReaderOrigin


class ProxySpec(Spec):
    """Bradley-Terry reward models trained on the preference data; ensembles take more members.

    On a hub world they start from ``base`` with a fresh head, from scratch where there is an
    ``architecture``, and otherwise from the policy.
    """

    architecture: ArchitectureSpec | None = Field(default=None, exclude_if=absent)
    base: ReaderOrigin | None = Field(default=None, exclude_if=absent)
    comparisons: int = Field(gt=0)
    training: TrainingSpec
    calibration_samples: int = Field(1024, gt=1)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.architecture is not None and self.base is not None:
            raise ValueError("a proxy starts from base or from an architecture, not from both")
        return self

    @property
    def width(self) -> int | None:
        """Width of proxies made from scratch; None where they start from a model."""
        return self.architecture.width if self.architecture else None

    def resized(self, width: int | None, comparisons: int) -> Self:
        """The same with another width (None: as it is) and another number of comparisons."""
        architecture = self.architecture
        if architecture is not None and width is not None:
            architecture = architecture.model_copy(update={"width": width})
        return self.model_copy(update={"architecture": architecture, "comparisons": comparisons})
