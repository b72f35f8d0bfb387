"""What a specification got wrong, in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


def explain(error: ValidationError, where: str, model: type[BaseModel]) -> str:
    """One sentence: the first thing that a specification got wrong, or all keys that it lacks."""
    first = most_telling(error)
    location = [str(part) for part in first["loc"]]
    key = _dotted(first["loc"])
    if first["type"] == "extra_forbidden":
        holder = _fields_at(model, location[:-1])
        near = difflib.get_close_matches(location[-1], holder, n=1, cutoff=0.5)
        hint = f"; did you mean {'.'.join([*location[:-1], near[0]])!r}?" if near else "."
        return f"{where}: unknown key {key!r}{hint} Allowed here: {', '.join(holder)}."
    if first["type"] == "missing":
        lacking = [repr(_dotted(one["loc"])) for one in error.errors() if one["type"] == "missing"]
        if len(lacking) == 1:
            return f"{where}: the key {lacking[0]} is missing; add it."
        listed = f"{', '.join(lacking[:-1])} and {lacking[-1]}"
        return f"{where}: the keys {listed} are missing; add them."
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    shown = "" if isinstance(first["input"], dict | BaseModel) else f" = {first['input']!r}"
    return f"{where}: {key}{shown}: {message}." if key else f"{where}: {message}."


def _dotted(location: Sequence[int | str]) -> str:
    return ".".join(map(str, location))


def most_telling(error: ValidationError) -> ErrorDetails:
    """The first unknown key, because a misspelled one is also missing; else the first error."""
    details = error.errors()
    return next((one for one in details if one["type"] == "extra_forbidden"), details[0])


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    current: type[BaseModel] = model
    for part in path:
        found = current.model_fields.get(part)
        options = [found.annotation, *get_args(found.annotation)] if found else []
        inner = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        if not inner:
            return []
        current = inner[0]
    return sorted(current.model_fields)
