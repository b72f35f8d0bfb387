"""Sizes of what is made up for a rehearsal.

Every one is different, so that a mean over the wrong axis is noticed; how many samples and members
there are may be that of a run, whose method has settings that count them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

PROMPTS, SAMPLES, TOKENS = 3, 4, 5
MEMBERS = 2


class Sizes(NamedTuple):
    """What differs between runs.

    samples: of each prompt. members: reward models that score each of them. terms: of the gold
    rule, of proxies that learn from them; None where it is not known.
    """

    samples: int = SAMPLES
    members: int = MEMBERS
    terms: int | None = None


USUAL = Sizes()


def weights(seed: int) -> dict[str, Tensor]:
    """Weights of a policy of two parameters."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"block.weight": (4, 3), "block.bias": (4,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
