"""Statistics of policies that are merged: at one value of the knob, and of what was merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from overopt.report.verdicts.arms import OfArm, Scope, SeedRows
from overopt.report.verdicts.statistics import Tables, per_seed
from overopt.spec.columns import ALL_WEIGHTS


@dataclass(frozen=True)
class AtKnob(OfArm):
    """A column of ``points.csv`` at the policies whose knob has a value, wherever their KL is."""

    column: str
    knob_value: float

    @property
    def name(self) -> str:
        return f"{self.column} at a knob of {self.knob_value:g} of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, self._number)

    def _number(self, one: SeedRows) -> float:
        there = one.column("knob_value") == self.knob_value
        if not there.any():
            raise ValueError(f"no policy has a knob of {self.knob_value:g}")
        value = float(one.column(self.column)[there].mean())
        if np.isnan(value):
            raise ValueError(f"{self.column} was not measured there")
        return value


Layers = Literal["layers", "all", "embeddings", "attention", "mlp", "norms"]
KINDS = {
    "embeddings": ("wte.", "wpe."),
    "attention": (".attn.",),
    "mlp": (".mlp.",),
    "norms": (".ln_1.", ".ln_2.", ".ln_f."),
}
"""What the names of a GPT-2's layers hold, by kind."""


@dataclass(frozen=True)
class TaskAngle(OfArm):
    """Angle between what two members have learned, degrees.

    Attributes:
        arm: a method that merges members.
        of: ``layers``: the mean over layers, each counted once; ``all``: of all weights at once; a
            kind of layers (`KINDS`): the mean over these.

    Reference:
        WARP: On the Benefits of Weight Averaged Rewarded Policies, observation 4,
        https://arxiv.org/abs/2406.16768
    """

    of: Layers = "layers"

    @property
    def name(self) -> str:
        over = "all weights" if self.of == "all" else f"mean over {self.of}"
        return f"angle between task vectors ({over}), degrees, of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, self._number)

    def _number(self, one: SeedRows) -> float:
        if not one.angles:
            raise ValueError("no angles were stored")
        if self.of == "all":
            return one.angles[ALL_WEIGHTS]
        parts = KINDS.get(self.of, ("",))
        angles = [
            angle
            for layer, angle in one.angles.items()
            if layer != ALL_WEIGHTS and any(part in layer for part in parts)
        ]
        if not angles:
            raise ValueError(f"no angles of {self.of} were stored")
        return float(np.mean(angles))
