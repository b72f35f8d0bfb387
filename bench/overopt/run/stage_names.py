"""Where the makers lie, and what their nodes are called."""

from __future__ import annotations

import re

STAGES = "overopt.stages"
"""The package of the makers; a stage is named after its module there."""


def kind_of(label: str) -> str:
    """A label up to its noise, world and seed, without the number of the proxy."""
    return re.sub(r"proxy \d+", "proxy", re.split(r",? (?:noise|world|seed) ", label)[0])
