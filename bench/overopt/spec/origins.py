"""Where models and data of real-language tasks come from: a hub name with its revision, or a path.

Declarations only: nothing here reads a file. A hub name is pinned by the 40 hexadecimal digits of
a commit, so that a result can be had again; a local folder or file is identified by the sha256 of
its content, which is filled in when a run is resolved.
"""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_COMMIT = re.compile(r"^[0-9a-f]{40}$")


class Origin(BaseModel):
    """A repository of a hub by name and revision, or a local path; with its license.

    allow_unpinned: accept a branch or tag, whose content may change, as ``revision``.
    download_gb: size of what would be downloaded, for plans made offline.
    digest: sha256 of a local path's content; filled in by the program.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str | None = None
    revision: str | None = None
    path: str | None = None
    license: str = ""
    allow_unpinned: bool = False
    download_gb: float | None = Field(default=None, gt=0)
    digest: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.name is None) == (self.path is None):
            raise ValueError("give either name (and revision) of a hub repository, or a local path")
        if self.path is not None and self.revision is not None:
            raise ValueError("a local path has no revision; its content identifies it")
        return self

    @property
    def shown(self) -> str:
        """The name people know it by."""
        return self.name or str(self.path)

    @property
    def is_pinned(self) -> bool:
        """Whether its content cannot change unnoticed."""
        return self.path is not None or bool(_COMMIT.match(self.revision or ""))


class ModelOrigin(Origin):
    """A transformers model folder.

    dtype: precision its weights are held in; float32 by default.
    trust_remote_code: run Python code that the folder brings along.
    allow_pickle: read ``.bin`` weights, which may run code when they are opened.
    parameters_b: billions of parameters, for plans made before the weights are here.
    """

    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    trust_remote_code: bool = False
    allow_pickle: bool = False
    parameters_b: float | None = Field(default=None, gt=0)


class ReaderOrigin(ModelOrigin):
    """A model that reads prompt and response as text through its own tokenizer.

    format: ``chat`` (its own chat template), or text with ``{prompt}`` and ``{response}``.
    label: of a classifier with several outputs, the name or number of the one that is good; the
        score is its log-odds. A classifier with one output is scored by that output.
    """

    format: str = "{prompt}\n\n{response}"
    label: str | None = None

    @model_validator(mode="after")
    def _format_holds_both(self) -> Self:
        _check_format(self.format, ("{prompt}", "{response}"))
        return self


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
        _check_format(self.format, ("{prompt}",))
        if self.pairs == "data" and self.prompts.chosen is None:
            raise ValueError("pairs = 'data' needs the columns prompts.chosen and prompts.rejected")
        if self.labels == "data" and self.pairs != "data":
            raise ValueError("labels = 'data' needs pairs = 'data'")
        return self


def _check_format(text: str, needed: tuple[str, ...]) -> None:
    if text != "chat" and any(text.count(part) != 1 for part in needed):
        raise ValueError(f"format is 'chat' or text that holds {' and '.join(needed)} once")
    places = [text.find(part) for part in needed]
    if text != "chat" and places != sorted(places):
        raise ValueError(f"{' comes before '.join(needed)} in a format")
