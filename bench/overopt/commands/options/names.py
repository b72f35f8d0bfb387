"""Names as people type them: in any case, with commas or spaces, groups of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from overopt.catalog import lookup
from overopt.catalog.declarations import unknown
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.spec.declare import OF_FAMILY, Family

EVERY = "all"


def expand(kind: str, words: Sequence[str]) -> list[str]:
    """The names that some words stand for, in their order.

    ``bon,dpo``, ``BON`` and ``soft_bon`` are names; ``all`` stands for every shipped or installed
    one, and of methods ``family:pairs`` for those of a family. What a group names besides a name
    that is given counts once; a name that is given twice stays twice, for others to refuse.

    Args:
        kind: ``methods`` or ``proxies``.
        words: as typed; a path that ends in ``.py`` is left alone.

    Raises:
        UserError: there is no such family.
    """
    parts = [part for word in words for part in _split(word)]
    given = {part for part in parts if not _is_group(part)}
    found: list[str] = []
    for part in parts:
        if not _is_group(part):
            found.append(part)
            continue
        found += [name for name in _members(kind, part) if name not in given | set(found)]
    return found


def same_name(kind: str, name: str) -> str:
    """One name as it is written in results; a file's path is left alone."""
    if name.endswith((".toml", ".py")):
        return name
    known = {lookup.canonical(one).lower(): one for one in lookup.names(kind)}
    return known.get(lookup.canonical(name).lower(), name)


def _split(word: str) -> list[str]:
    """The parts of one word; a file may have commas in its path."""
    if is_file(word) and ("," not in word or Path(word).is_file()):
        return [word]
    parts = [part.strip() for part in word.split(",")]
    return [part if is_file(part) else lookup.canonical(part).lower() for part in parts if part]


def _is_group(part: str) -> bool:
    return part == EVERY or part.startswith(OF_FAMILY)


def _members(kind: str, group: str) -> list[str]:
    if group == EVERY:
        return lookup.names(kind)
    family = group.removeprefix(OF_FAMILY)
    if kind != "methods":
        raise UserError(f"{group}: families are of methods; give proxies by name, or all.")
    if family not in get_args(Family):
        raise UserError(unknown("family", family, get_args(Family)))
    return [
        name
        for name in lookup.names(kind)
        if lookup.declaration(kind, name).constants.get("FAMILY") == family
    ]
