"""The accelerator of this machine, and what it achieves: a large product and a large copy."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from overopt.run.forecasts.machines import Accelerator

_WIDTH = 4096
_REPEATS = 3
_SHARE = 0.5
"""Of the rate of a large product, what a whole model achieves; a guess."""


def find_accelerator() -> Accelerator | None:
    """The accelerator that stages would use, measured for a moment; None where there is none."""
    import torch  # costs seconds, so that only plans of models of real size ask

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return measure("cuda", properties.name, properties.total_memory)


def measure(device: str, name: str, memory_bytes: float, width: int = _WIDTH) -> Accelerator:
    """What a device achieves.

    Args:
        device: as torch names it.
        name: for people.
        memory_bytes: of the device.
        width: of the square matrices that are multiplied, and copied.
    """
    import torch

    def seconds(work: Callable[[], Any]) -> float:
        """The fastest of a few tries, after one that is not counted."""
        taken = []
        for _ in range(_REPEATS + 1):
            started_s = time.perf_counter()
            work()
            if device == "cuda":
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - started_s)
        return min(taken[1:])

    rates = {}
    for dtype in ("float32", "bfloat16", "float16"):
        matrix = torch.ones(width, width, dtype=getattr(torch, dtype), device=device)
        rates[dtype] = _SHARE * 2 * width**3 / seconds(partial(torch.matmul, matrix, matrix))
    block = torch.ones(8 * width, width, device=device)
    bytes_per_s = 2 * block.nbytes / seconds(block.clone)
    return Accelerator(name, memory_bytes, rates, bytes_per_s)
