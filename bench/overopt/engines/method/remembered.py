"""A method's memory between steps as plain values and tensors, and back.

A hook's memory is whatever the method likes. It can be written where it consists of tensors, plain
values, lists, tuples, mappings and the method's own named tuples and data classes, and reading it
then runs no code. Other memories cannot be written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from torch import Tensor

from overopt.engines.method.training import TrainedMethod

_PLAIN = (bool, int, float, str, type(None))


class Unwritable(Exception):
    """A memory holds something of another kind."""


def is_writable(memory: Any, method: TrainedMethod) -> bool:
    """Whether a memory can be written and come back the same."""
    try:
        describe(memory, method, {})
    except Unwritable:
        return False
    return True


def describe(value: Any, method: TrainedMethod, tensors: dict[int, Tensor]) -> Any:
    """A value as JSON, each distinct tensor in it by its number in ``tensors``."""
    if isinstance(value, _PLAIN) and type(value) in _PLAIN:
        return value
    if type(value) is Tensor:
        tensors.setdefault(id(value), value)
        return {"tensor": list(tensors).index(id(value))}
    if type(value) in (list, tuple):
        parts = [describe(one, method, tensors) for one in value]
        return {"list" if type(value) is list else "tuple": parts}
    if type(value) is dict and all(type(key) in _PLAIN for key in value):
        return {"pairs": [[key, describe(one, method, tensors)] for key, one in value.items()]}
    if method.own_class(type(value).__name__) is type(value):
        fields = _fields(value)
        if fields is not None:
            named = {name: describe(one, method, tensors) for name, one in fields.items()}
            return {"class": type(value).__name__, "fields": named}
    raise Unwritable


def _fields(value: Any) -> dict[str, Any] | None:
    """The fields of a named tuple or a data class; None of anything else."""
    names: Sequence[str] | None = vars(type(value)).get("_fields")
    if isinstance(value, tuple) and names is not None:
        return dict(zip(names, value, strict=True))
    if dataclasses.is_dataclass(value) and all(one.init for one in dataclasses.fields(value)):
        return {one.name: attrgetter(one.name)(value) for one in dataclasses.fields(value)}
    return None


def rebuild(told: Any, method: TrainedMethod, tensors: dict[str, Tensor]) -> Any:
    """What ``describe`` was given, from its JSON and its tensors by their numbers."""
    if not isinstance(told, dict):
        return told
    if "tensor" in told:
        return tensors[str(told["tensor"])]
    if "pairs" in told:
        return {key: rebuild(one, method, tensors) for key, one in told["pairs"]}
    if "class" in told:
        fields = told["fields"].items()
        kind = method.own_class(told["class"])
        assert kind is not None
        return kind(**{name: rebuild(one, method, tensors) for name, one in fields})
    [(kind_name, parts)] = told.items()
    rebuilt = [rebuild(one, method, tensors) for one in parts]
    return rebuilt if kind_name == "list" else tuple(rebuilt)
