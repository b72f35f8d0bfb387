"""How people label pairs where they are not all alike: populations, clean labels, uneven noise."""

from __future__ import annotations

import math
import operator
from typing import Literal, Self

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec, absent
from overopt.spec.noise import NoiseSpec

Grouping = Literal["categories", "topics"]
"""What prompts are grouped by: a module of the world's kind."""

_SUM_TOLERANCE = 1e-9


class PopulationSpec(Spec):
    """Annotators of one taste.

    share: of the pairs that they label, above 0.
    weights: factor on each named term of the gold rule in their opinion; 1 for terms not named.
    """

    name: str
    share: float = Field(gt=0, le=1)
    weights: dict[str, float]


class UnevenNoiseSpec(Spec):
    """A run's label noise, spread unevenly over groups of prompts.

    by: what prompts are grouped by.
    factors: rate of each group over the run's; their mean is 1.
    """

    by: Grouping
    factors: tuple[float, ...] = Field(min_length=1, strict=False)

    @model_validator(mode="after")
    def _factors_keep_the_mean(self) -> Self:
        mean = sum(self.factors) / len(self.factors)
        if min(self.factors) < 0 or not math.isclose(mean, 1, abs_tol=_SUM_TOLERANCE):
            raise ValueError(
                f"factors are at least 0 with a mean of 1, so that a run's noise keeps its rate; "
                f"the mean of these is {mean:g}"
            )
        return self

    def refusal(self, noise: NoiseSpec) -> str:
        """Why a run's noise cannot be spread like this; empty where it can."""
        if noise.kind not in ("flip", "random"):
            return (
                f"noise {noise.label} has no rate that could differ by {self.by}; give a share of "
                "flipped labels such as 0.25, or random:0.5"
            )
        if noise.amount * max(self.factors) > 1:
            return (
                f"noise {noise.label} times {max(self.factors):g}, its factor in one of the "
                f"{self.by}, is more than all labels; give at most {1 / max(self.factors):g}"
            )
        return ""


class LabelingSpec(Spec):
    """Who labels the pairs of a task, and how well.

    annotators: populations of annotators, in the order of their numbers; empty: gold itself.
    clean: share of the pairs whose label passes no noise, marked as such.
    noise: how a run's noise is spread over prompts; absent: evenly.
    """

    annotators: tuple[PopulationSpec, ...] = Field(
        default=(), strict=False, exclude_if=operator.not_
    )
    clean: float = Field(default=0.0, ge=0, lt=1, exclude_if=operator.not_)
    noise: UnevenNoiseSpec | None = Field(default=None, exclude_if=absent)

    @model_validator(mode="after")
    def _populations_share_the_pairs(self) -> Self:
        names = [one.name for one in self.annotators]
        total = sum(one.share for one in self.annotators)
        if len(set(names)) < len(names):
            raise ValueError(f"two populations of annotators have one name: {', '.join(names)}")
        if names and not math.isclose(total, 1, abs_tol=_SUM_TOLERANCE):
            raise ValueError(f"shares of annotators add up to 1, and these to {total:g}")
        if not (names or self.clean or self.noise):
            raise ValueError("it says nothing: give annotators, clean or noise, or leave it out")
        return self
