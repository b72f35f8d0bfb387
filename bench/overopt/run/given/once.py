"""What is made of a specification, made once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from overopt.spec.frozen import Spec

Given = TypeVar("Given", bound=Spec)
Made = TypeVar("Made")
More = ParamSpec("More")
MOST_KEPT = 10_000


def once_per_spec(
    make: Callable[Concatenate[Given, More], Made],
) -> Callable[Concatenate[Given, More], Made]:
    """Let a function of a specification and of numbers or texts answer again what it has answered.

    The cells of a run are many and its specifications are few; they go by identity, since to
    compare them costs more than most functions of them. A number of another type is another one.
    """
    kept: OrderedDict[tuple[object, ...], tuple[Given, Made]] = OrderedDict()

    @wraps(make)
    def remembering(spec: Given, /, *more: More.args, **named: More.kwargs) -> Made:
        asked = id(spec), *map(type, more), *more, *named.items()
        found = kept.get(asked)
        if found is not None:
            kept.move_to_end(asked)
            return found[1]
        # with the specification, whose identity is nobody else's as long as it is held
        kept[asked] = spec, (made := make(spec, *more, **named))
        if len(kept) > MOST_KEPT:
            kept.popitem(last=False)  # whoever asks for the others is still at work
        return made

    return remembering
