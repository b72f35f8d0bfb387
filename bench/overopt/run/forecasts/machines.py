"""What the stages of a hub run are computed on, and how long it takes them.

Rates are what is achieved, not what a data sheet promises. A plan made where no accelerator is
found assumes a named one, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

_CPU_OPERATIONS_PER_S = 2e10
_CPU_BYTES_PER_S = 5e9
_CPU_CACHE_BYTES = 2**31
_DISK_BYTES_PER_S = 1e9
_STARTING_S = 1.0
"""A stage opens its inputs and builds its world before it computes."""


class Phase(NamedTuple):
    """A part of a stage that computes and reads at the same time.

    operations: floating-point operations, in numbers of the type ``dtype``.
    read_bytes: weights and key-value caches read from memory on the way, beyond what large
        batches read once.
    """

    operations: float
    dtype: str
    read_bytes: float = 0.0


@dataclass(frozen=True)
class Accelerator:
    """One accelerator: its name, its memory, and what it achieves per second.

    operations_per_s: floating-point operations by type of number.
    """

    name: str
    memory_bytes: float
    operations_per_s: Mapping[str, float]
    bytes_per_s: float


_H100_SHARE, _H100_BANDWIDTH_SHARE = 0.4, 0.6

ASSUMED = Accelerator(
    "NVIDIA H100 SXM of 80 GB",
    80e9,
    {
        "float32": _H100_SHARE * 67e12,
        "bfloat16": _H100_SHARE * 989e12,
        "float16": _H100_SHARE * 989e12,
    },
    _H100_BANDWIDTH_SHARE * 3.35e12,
)
"""Assumed where none is found: data sheet https://www.nvidia.com/en-us/data-center/h100 (float32
without tensor cores, as torch multiplies by default; 16 bits with them, without sparsity), times
shares that are guesses."""

ASSUMPTION = (
    f"{_H100_SHARE:.0%} of its 67 Tflop/s in float32 and 989 in 16 bits, "
    f"{_H100_BANDWIDTH_SHARE:.0%} of its 3.35 TB/s"
)


@dataclass(frozen=True)
class Machine:
    """Where a run would be computed: CPU cores, and an accelerator or none.

    is_found: whether the accelerator is there, or only assumed.
    """

    accelerator: Accelerator | None
    is_found: bool

    def seconds(self, phases: Iterable[Phase], load_bytes: float, accelerated: bool) -> float:
        """Seconds of one stage: a second to start, its weights off the disk, then its phases.

        A phase takes max(operations / rate, bytes / bandwidth).

        Args:
            phases: one after another.
            load_bytes: weights read from disk.
            accelerated: whether the accelerator computes, or else one CPU core.
        """
        total_s = _STARTING_S + load_bytes / _DISK_BYTES_PER_S
        for phase in phases:
            rate = _CPU_OPERATIONS_PER_S
            bandwidth = _CPU_BYTES_PER_S
            if accelerated and self.accelerator is not None:
                rate = self.accelerator.operations_per_s[phase.dtype]
                bandwidth = self.accelerator.bytes_per_s
            total_s += max(phase.operations / rate, phase.read_bytes / bandwidth)
        return total_s

    def cache_bytes(self, weight_bytes: float) -> float:
        """Memory that sampling gives its key-value cache: a third of what the weights leave free.

        On a CPU a fixed amount. As ``models.sampling`` has it.
        """
        if self.accelerator is None:
            return _CPU_CACHE_BYTES
        return max(self.accelerator.memory_bytes - weight_bytes, 0.0) / 3
