"""A policy as a recipe: which models are put together at every token, and with which weights."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Self

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec, absent


class PolicyTerm(Spec):
    """c log pi(v | prefix) of one member.

    folder: of the member, relative to the recipe's.
    weight: c.
    """

    folder: str
    weight: float


class ValueTerm(Spec):
    """w (V(prefix + v) - mean of V over the likeliest tokens), for those tokens; 0 for the others.

    folder: of a causal language model whose output for token v is V(prefix + v), in SDs of the
        reward; relative to the recipe's.
    weight: w, 1 / SDs of the reward.
    top_k: how many tokens, the likeliest of the policies' part; 0 for all.
    """

    folder: str
    weight: float
    top_k: int = Field(ge=0)


class Recipe(Spec):
    """log pi(v | prefix) = sum of c_i log pi_i(v | prefix) + the value's term + a constant.

    policies: at least one; the first lends its generation settings.
    """

    policies: tuple[PolicyTerm, ...] = Field(min_length=1, strict=False)
    value: ValueTerm | None = Field(default=None, exclude_if=absent)

    @model_validator(mode="after")
    def _stays_where_it_is(self) -> Self:
        """An artifact may be moved as a whole, so that it names no place outside of it."""
        folders = [term.folder for term in self.policies]
        for folder in folders if self.value is None else [*folders, self.value.folder]:
            if PurePosixPath(folder).is_absolute():
                raise ValueError(f"{folder} is absolute; name it relative to the recipe")
        return self
