"""Texts and numbers that a stranger may write: what they may consist of, and how long they are."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

LARGEST_SEED = 2**32 - 1

NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}"

Name = Annotated[str, Field(pattern=f"^{NAME}$")]
"""A name of the catalog, of a package or of an entry."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+!-]{0,63}$")]

Person = Annotated[str, Field(pattern=r"^[\p{L}\p{N}][\p{L}\p{M}\p{N} .,'&()-]{0,99}$")]
"""People or a group. No letter of it means anything to a spreadsheet, to TeX or to a shell, but for
the ampersand, which every writer escapes."""

Contact = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._+-]{0,63}@[A-Za-z0-9.-]{1,120}"
        r"|https://[A-Za-z0-9.-]{1,120}(/[A-Za-z0-9._~/-]{0,100})?)$",
    ),
]
"""An e-mail address or an https page."""

Repository = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^https://[A-Za-z0-9][A-Za-z0-9.-]{0,100}(/[A-Za-z0-9][A-Za-z0-9._~-]{0,60}){1,6}$",
    ),
]
"""An https address of a public repository, without user, port or query."""

License = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{1,39}$")]
"""An SPDX identifier, such as Apache-2.0."""


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("it must be one line of letters that print, without space around it")
    if text[:1] in "=+-@|%":
        raise ValueError("it must not begin like a formula of a spreadsheet (= + - @ | %)")
    if not {"\\", "<", ">", "{", "}", "$", "`"}.isdisjoint(text):
        raise ValueError("it must be plain text, without any of \\ < > { } $ `")
    return text


Line = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_one_line)]
"""One plain line for people."""


def _inside(path: str) -> str:
    parts = path.split("/")
    if any(part in (".", "..") or part.endswith(".") for part in parts):
        raise ValueError("it must lie inside the folder, without . or ..")
    return path


PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"

InnerPath = Annotated[
    str, Field(max_length=300, pattern=rf"^{PART}(/{PART}){{0,5}}$"), AfterValidator(_inside)
]
"""A relative path with forward slashes, of plain letters, that leads nowhere else."""

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Finite = Annotated[float, Field(ge=-1e30, le=1e30)]
