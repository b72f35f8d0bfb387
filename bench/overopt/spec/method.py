"""Methods and reward-side systems, resolved."""

from __future__ import annotations

from overopt.spec.declare import TRAINING_FAMILIES, Family, GoldUse, Knob
from overopt.spec.frozen import Spec


class MethodSpec(Spec):
    """A method resolved: its name or file, and the value of every field of its ``Config``.

    member_family: of the merge family, the family of the runs whose weights are merged.
    """

    name: str
    family: Family
    knob: Knob
    uses_gold: GoldUse
    source: str
    config: dict[str, bool | int | float | str]
    member_family: Family | None = None

    @property
    def retrains(self) -> bool:
        """Whether another value of the knob means another training run."""
        return self.family in TRAINING_FAMILIES

    @property
    def trains(self) -> Family:
        """The family whose engine trains its policies: its own, or that of its merged members."""
        return self.member_family or self.family

    @property
    def members(self) -> int:
        """Of the merge family, how many policies are trained and merged."""
        return int(self.config["members"])


class ProxySystemSpec(Spec):
    """A reward-side system resolved: its name or file, how many members, its ``Config``."""

    name: str
    source: str
    config: dict[str, bool | int | float | str]

    @property
    def members(self) -> int:
        """How many reward models of different seeds it combines."""
        return int(self.config["members"])
