"""Methods, resolved."""

from __future__ import annotations

import operator
from typing import Self

from pydantic import Field

from overopt.spec.declare import (
    OF_PROXY,
    PROXY_BLIND,
    TRAINING_FAMILIES,
    Family,
    GoldUse,
    Knob,
    MethodInput,
)
from overopt.spec.frozen import SourcedSpec, absent


class MethodSpec(SourcedSpec):
    """A method resolved: its name or file, and the value of every field of its ``Config``.

    native_only: of what it asks for or supplies, what only the native engine knows.
    needs: of its INPUTS, those that its runs need further artifacts or code for (``NEEDS``).
    member_family: of the merge family, the family of the runs whose policies are merged, where its
        own file says how they are trained.
    member: of the merge family, the method whose run is used, where it is another one.
    merging: of the merge family, the fields of ``config`` that the runs of its members do not read.
    composes: whether its policy is put together at every token.
    filters: whether it resamples between tokens.
    searches: whether it searches a tree of partial answers.
    values: whether values that it learns from the proxy are a part of that.
    blind: whether it leaves the rewards of its samples unread, which its engine only records.
    rate_factor: its learning rate over the task's; for the merge family, that of what is merged.
    """

    family: Family
    knob: Knob
    uses_gold: GoldUse
    member_family: Family | None = None
    native_only: tuple[str, ...] = Field(default=(), strict=False, exclude_if=operator.not_)
    needs: tuple[MethodInput, ...] = Field(default=(), strict=False, exclude_if=operator.not_)
    member: Self | None = Field(default=None, exclude_if=absent)
    merging: tuple[str, ...] = Field(default=(), strict=False, exclude_if=operator.not_)
    composes: bool = Field(default=False, exclude_if=operator.not_)
    filters: bool = Field(default=False, exclude_if=operator.not_)
    searches: bool = Field(default=False, exclude_if=operator.not_)
    values: bool = Field(default=False, exclude_if=operator.not_)
    blind: bool = Field(default=False, exclude_if=operator.not_)
    rate_factor: float = Field(default=1.0, gt=0, exclude_if=lambda factor: factor == 1.0)

    @property
    def families(self) -> tuple[Family, ...]:
        """Families whose functions its file supplies: its own, and that of its members."""
        if self.member_family is None:
            return (self.family,)
        return (self.family, self.member_family)

    @property
    def retrains(self) -> bool:
        """Whether another value of the knob means another training run."""
        return self.family in TRAINING_FAMILIES

    @property
    def trains(self) -> Family:
        """The family whose engine trains its policies: its own, or that of its merged members."""
        if self.member is not None:
            return self.member.trains
        return self.member_family or self.family

    @property
    def sees_proxy(self) -> bool:
        """Whether a proxy has any part in its policies; where not, it only scores them."""
        if self.member is not None:
            return self.values or self.member.sees_proxy
        return self.values or (self.learns_from_proxy and not self.blind)

    @property
    def learns_from_proxy(self) -> bool:
        """Whether the engine that trains its policies is handed the proxy."""
        if self.member is not None:
            return self.member.learns_from_proxy
        asks = not set(OF_PROXY).isdisjoint(self.needs)
        return asks or self.trains not in PROXY_BLIND

    @property
    def observes_gold(self) -> bool:
        """Whether it is handed gold of the samples that it trains on."""
        return "observe_gold" in self.native_only

    @property
    def member_steps(self) -> int | None:
        """Of the merge family, gradient steps of each run; None: until the last KL budget."""
        steps = self.config.get("steps", 0) if self.family == "merge" else 0
        return int(steps) or None

    @property
    def iterations(self) -> int:
        """Of the merge family, how often members are trained and merged."""
        return int(self.config.get("iterations", 1)) if self.family == "merge" else 1

    @property
    def members(self) -> int:
        """Of the merge family, how many policies are trained and merged."""
        return 1 if self.member is not None else int(self.config["members"])
