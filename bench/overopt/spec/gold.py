"""The gold reward, which plays the human."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec, absent
from overopt.spec.origins import ReaderOrigin
from overopt.spec.training import ArchitectureSpec, TrainingSpec


class GoldSpec(Spec):
    """What plays the human: a rule, a transformer trained on its labels, or a ready classifier.

    classifier: any sequence classifier; one without its own here is the task's.
    """

    name: str
    summary: str
    kind: Literal["rule", "model", "classifier"]
    architecture: ArchitectureSpec | None = None
    comparisons: int | None = Field(None, gt=0)
    training: TrainingSpec | None = None
    classifier: ReaderOrigin | None = Field(default=None, exclude_if=absent)

    @model_validator(mode="after")
    def _model_is_whole(self) -> Self:
        parts = (self.architecture, self.comparisons, self.training)
        if self.kind == "model" and None in parts:
            raise ValueError("a gold of kind 'model' needs architecture, comparisons and training")
        if self.kind != "model" and any(part is not None for part in parts):
            raise ValueError(
                f"a gold of kind '{self.kind}' takes no architecture, comparisons or training"
            )
        if self.kind != "classifier" and self.classifier is not None:
            raise ValueError(f"a gold of kind '{self.kind}' takes no classifier")
        return self
