"""Methods, resolved."""

from __future__ import annotations

import operator

from pydantic import Field

from overopt.spec.declare import PROXY_BLIND, TRAINING_FAMILIES, Family, GoldUse, Knob, MethodInput
from overopt.spec.sourced import SourcedSpec


class MethodSpec(SourcedSpec):
    """A method resolved: its name or file, and the value of every field of its ``Config``.

    member_family: of the merge family, the family of the runs whose weights are merged.
    needs: of its INPUTS, those that its runs need further artifacts or code for (``NEEDS``).
    """

    family: Family
    knob: Knob
    uses_gold: GoldUse
    member_family: Family | None = None
    needs: tuple[MethodInput, ...] = Field(default=(), strict=False, exclude_if=operator.not_)

    @property
    def retrains(self) -> bool:
        """Whether another value of the knob means another training run."""
        return self.family in TRAINING_FAMILIES

    @property
    def trains(self) -> Family:
        """The family whose engine trains its policies: its own, or that of its merged members."""
        return self.member_family or self.family

    @property
    def sees_proxy(self) -> bool:
        """Whether a proxy has any part in its policies; where not, it only scores them."""
        return self.trains not in PROXY_BLIND

    @property
    def members(self) -> int:
        """Of the merge family, how many policies are trained and merged."""
        return int(self.config["members"])
