"""The language and the data of hub worlds, and the world of a task, which may be one."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from overopt.spec.frozen import absent
from overopt.spec.origins import ModelOrigin, Origin, check_format
from overopt.spec.pool import PoolSpec
from overopt.spec.world import WorldSpec


class DataOrigin(Origin):
    """A table of prompts, with reference responses or preferences where it has them.

    files: which files of a hub data set or folder (a glob); parquet, jsonl or json, also ``.gz``.
    prompt: a column, or text with ``{column}`` in it; conversations in ``chosen`` hold it as well.
    reference: column of reference responses (SFT targets, and the world's own rule).
    chosen, rejected: columns of a preference pair.
    layout: ``plain`` text; ``messages``, lists of {role, content}; ``dialogue``, text in which
        ``Human:`` and ``Assistant:`` take turns, the prompt being all but the last answer.
    """

    files: str = "*"
    prompt: str | None = None
    reference: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    layout: Literal["plain", "messages", "dialogue"] = "plain"

    @model_validator(mode="after")
    def _columns_fit(self) -> Self:
        if (self.chosen is None) != (self.rejected is None):
            raise ValueError("chosen and rejected go together; give both columns or neither")
        if self.prompt is None and (self.layout == "plain" or self.chosen is None):
            raise ValueError("prompt is the column of the prompts; name it")
        return self


class HubSpec(BaseModel):
    """The language and the data of a ``hub`` world.

    policy: the causal language model; its tokenizer is the world's vocabulary.
    prompts: the data; heldout: another table for the held-out prompts, else a part of ``prompts``.
    format: ``chat`` (the policy's own chat template), or text with ``{prompt}``.
    response_tokens: longest response, end included.
    prompt_tokens: longer prompts are left out; without it, a prompt that does not fit is an error.
    pairs: whether the responses compared come from the policy or from the data.
    labels: whether gold labels the pairs, or the data's own preference stands.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    policy: ModelOrigin
    prompts: DataOrigin
    heldout: DataOrigin | None = None
    format: str = "{prompt}\n\n"
    response_tokens: int = Field(gt=0)
    prompt_tokens: int | None = Field(default=None, gt=0)
    pairs: Literal["policy", "data"] = "policy"
    labels: Literal["gold", "data"] = "gold"

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        check_format(self.format, ("{prompt}",))
        if self.pairs == "data" and self.prompts.chosen is None:
            raise ValueError("pairs = 'data' needs the columns prompts.chosen and prompts.rejected")
        if self.labels == "data" and self.pairs != "data":
            raise ValueError("labels = 'data' needs pairs = 'data'")
        return self


class TaskWorldSpec(WorldSpec):
    """The world of a task, of whatever kind.

    hub: of a world of real language, its model and data; the seed then shuffles the prompts.
    pool: of a world of responses that somebody scored, their table; the seed shuffles the prompts.
    """

    hub: HubSpec | None = Field(default=None, exclude_if=absent)
    pool: PoolSpec | None = Field(default=None, exclude_if=absent)

    @property
    def lists_responses(self) -> bool:
        """Whether all responses are listed: those of a pool are, and those of small worlds."""
        return self.pool is not None or super().lists_responses

    @property
    def has_references(self) -> bool:
        """Whether there is a reference text for every prompt: a column of the data."""
        return self.hub is None or self.hub.prompts.reference is not None

    @model_validator(mode="after")
    def _hub_has_its_table(self) -> Self:
        if (self.kind == "hub") != (self.hub is not None):
            raise ValueError("a world of kind 'hub', and no other, has a table [world.hub]")
        if (self.kind == "pool") != (self.pool is not None):
            raise ValueError("a world of kind 'pool', and no other, has a table [world.pool]")
        return self
