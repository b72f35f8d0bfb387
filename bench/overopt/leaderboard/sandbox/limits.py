"""How much a confined process may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a confined process may use; what goes beyond is refused by the system, or ends it.

    wall_s: seconds on the clock. cpu_s: seconds of processor time.
    memory_bytes: resident memory, and memory that it may ask for.
    scratch_bytes: files that it may write, all of which are gone when it ends.
    delivery_bytes: what it may hand over.
    threads: of its one process; further processes there are none. open_files: at a time.
    """

    wall_s: float = 3000.0
    cpu_s: int = 3000
    memory_bytes: int = 4 << 30
    scratch_bytes: int = 64 << 20
    delivery_bytes: int = 1 << 30
    threads: int = 32
    open_files: int = 256
