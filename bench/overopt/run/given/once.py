"""What is made of a specification, made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from overopt.spec.frozen import Spec

Given = TypeVar("Given", bound=Spec)
Made = TypeVar("Made")
More = ParamSpec("More")
_MOST = 10_000


def once_per_spec(
    make: Callable[Concatenate[Given, More], Made],
) -> Callable[Concatenate[Given, More], Made]:
    """Let a function of a specification and of numbers or texts answer again what it has answered.

    The cells of a run are many and its specifications are few; they go by identity, since to
    compare them costs more than most functions of them. A number of another type is another one.
    """
    kept: dict[tuple[object, ...], tuple[Given, Made]] = {}

    @wraps(make)
    def remembering(spec: Given, /, *more: More.args, **named: More.kwargs) -> Made:
        asked = id(spec), *map(type, more), *more, *named.items()
        found = kept.get(asked)
        if found is None:
            if len(kept) >= _MOST:
                kept.clear()
            # with the specification, whose identity is nobody else's as long as it is held
            found = kept[asked] = spec, make(spec, *more, **named)
        return found[1]

    return remembering
