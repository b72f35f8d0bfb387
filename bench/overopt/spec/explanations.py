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
    """Keys that are allowed in a place; indexes of lists and tags of unions stand in its path."""
    current = [model]
    for part in path:
        holders = [one for one in current if part in one.model_fields]
        tagged = [one for one in current if _is_tagged(one, part)] if len(current) > 1 else []
        if holders and not tagged:
            current = [
                inner for one in holders for inner in _models(one.model_fields[part].annotation)
            ]
        else:
            current = tagged or current
    return sorted({name for one in current for name in one.model_fields})


def _models(annotation: object) -> list[type[BaseModel]]:
    """The models that a type is made of: itself, members of a union, elements of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for one in get_args(annotation) for inner in _models(one)]


def _is_tagged(model: type[BaseModel], tag: str) -> bool:
    return any(tag in get_args(field.annotation) for field in model.model_fields.values())
