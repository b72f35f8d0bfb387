"""A world: the kind of language, its seed, and how many prompts it has."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec, absent
from overopt.spec.origins import HubSpec


class WorldSpec(Spec):
    """A world: the kind of language, the seed that generates it, and how many prompts it has.

    hub: of a world of real language, its model and data; the seed then shuffles the prompts.
    """

    kind: str
    seed: int = Field(0, ge=0)
    train_prompts: int = Field(gt=0)
    heldout_prompts: int = Field(gt=0)
    hub: HubSpec | None = Field(default=None, exclude_if=absent)

    @property
    def lists_responses(self) -> bool:
        """Whether a world of this kind has so few responses that all of them are listed."""
        return self.kind == "tabular"

    @model_validator(mode="after")
    def _hub_has_its_table(self) -> Self:
        if (self.kind == "hub") != (self.hub is not None):
            raise ValueError("a world of kind 'hub', and no other, has a table [world.hub]")
        return self
