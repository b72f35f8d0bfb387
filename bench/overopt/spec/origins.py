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
        check_format(self.format, ("{prompt}", "{response}"))
        return self


def check_format(text: str, needed: tuple[str, ...]) -> None:
    """Refuse a format that does not hold each needed part once and in order (ValueError)."""
    if text != "chat" and any(text.count(part) != 1 for part in needed):
        raise ValueError(f"format is 'chat' or text that holds {' and '.join(needed)} once")
    places = [text.find(part) for part in needed]
    if text != "chat" and places != sorted(places):
        raise ValueError(f"{' comes before '.join(needed)} in a format")
