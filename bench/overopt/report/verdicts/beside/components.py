"""Statistics of the components of a reward: where gold is highest, together and alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.report.verdicts.arms import OfArm, Scope, SeedRows
from overopt.report.verdicts.statistics import Tables, per_seed


@dataclass(frozen=True)
class PointDistance(OfArm):
    """Squared distance of the joint best point of components from that of each alone, SDs squared.

    The product of the differences that two halves of the prompts find: 0 on average where both
    points are one, and otherwise the square of their distance. It may be negative.

    Reference:
        Confronting Reward Model Overoptimization with Constrained RLHF, figure 3.1,
        https://arxiv.org/abs/2310.04373
    """

    @property
    def name(self) -> str:
        return f"squared distance of the joint point from the single ones, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, _squared)


def _squared(one: SeedRows) -> float:
    differences = []
    for half in ("first", "second"):
        joint, alone = (one.components.get((half, kind)) for kind in ("joint", "alone"))
        if joint is None or alone is None or joint.shape != alone.shape:
            raise ValueError("no points of components were stored")
        differences.append(joint - alone)
    return float(np.dot(*differences))
