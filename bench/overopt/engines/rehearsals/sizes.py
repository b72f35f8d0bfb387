"""Sizes of what is made up for a rehearsal.

Every one is different, so that a mean over the wrong axis is noticed.
"""

from __future__ import annotations

import torch
from torch import Tensor

PROMPTS, SAMPLES, TOKENS = 3, 4, 5
MEMBERS = 2


def weights(seed: int) -> dict[str, Tensor]:
    """Weights of a policy of two parameters."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"block.weight": (4, 3), "block.bias": (4,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
