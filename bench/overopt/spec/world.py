"""A world: the kind of language, its seed, and how many prompts it has."""

from __future__ import annotations

from pydantic import Field

from overopt.spec.frozen import Spec


class WorldSpec(Spec):
    """A world: the kind of language, the seed that generates it, and how many prompts it has."""

    kind: str
    seed: int = Field(0, ge=0, lt=2**53)
    train_prompts: int = Field(gt=0)
    heldout_prompts: int = Field(gt=0)

    @property
    def lists_responses(self) -> bool:
        """Whether a world of this kind has so few responses that all of them are listed."""
        return self.kind == "tabular"

    @property
    def has_steps(self) -> bool:
        """Whether responses of a world of this kind are made of steps."""
        return self.kind == "arithmetic"

    @property
    def has_answers(self) -> bool:
        """Whether responses of a world of this kind end with an answer that can be compared."""
        return self.kind == "arithmetic"

    @property
    def has_references(self) -> bool:
        """Whether there is a reference text for every prompt."""
        return True
