"""Where the makers lie, and what their nodes are called."""

from __future__ import annotations

import re
from functools import lru_cache

STAGES = "overopt.stages"
"""The package of the makers; a stage is named after its module there."""
_PLACE = re.compile(r",? (?:noise|world|seed) ")
_PROXY = re.compile(r"proxy \d+")


def kind_of(task: str, label: str) -> str:
    """What equal costs are expected of: a task, and a label without its place.

    That is the label up to its noise, world and seed, without the number of the proxy.
    """
    found = _PLACE.search(label)
    return _kind(task, label[: found.start()] if found else label)


@lru_cache(maxsize=10_000)
def _kind(task: str, what: str) -> str:
    """One text for all nodes of a kind, which are many more than kinds."""
    return f"{task}: {_PROXY.sub('proxy', what)}"
