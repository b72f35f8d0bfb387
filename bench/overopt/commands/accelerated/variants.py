"""Hub tasks from start to end under several settings, each in a process of its own.

What fails is shown as failed, with the last thing that it said.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from overopt.errors import UserError, one_line
from overopt.execution.costs import read_receipts

VARIANTS: dict[str, tuple[str, ...]] = {
    "float32": (),
    "bf16": ("trl.bf16=true",),
    "lora": ("trl.lora_rank=16",),
    "bf16-lora": ("trl.bf16=true", "trl.lora_rank=16"),
    "vllm": ("trl.bf16=true", "trl.generation=vllm"),
}
"""Settings of the engine trl by the name of the row."""
_POLL_S = 1.0


class VariantRow(NamedTuple):
    """One task under one setting.

    planned_s: what ``bench plan`` foretold; None where it cannot tell. wall_s: what it took.
    host_bytes: largest memory of a stage. gpu_bytes: largest seen on the accelerator; None without
    one. error: why it failed.
    """

    task: str
    variant: str
    planned_s: float | None
    wall_s: float
    host_bytes: int | None
    gpu_bytes: int | None
    error: str | None


def run_variants(
    tasks: Sequence[str], methods: Sequence[str], names: Sequence[str], timeout_s: int
) -> list[VariantRow]:
    """Run every task under every setting, each from an empty store.

    Raises:
        UserError: there is no such setting.
    """
    for name in names:
        if name not in VARIANTS:
            known = ", ".join(VARIANTS)
            raise UserError(f"There is no variant {name!r}; give some of: {known}.")
    chosen = names or tuple(VARIANTS)
    return [_run(task, methods, name, timeout_s) for task in tasks for name in chosen]


def _run(task: str, methods: Sequence[str], name: str, timeout_s: int) -> VariantRow:
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / "store"
        asked = ["--task", task, "--method", *methods, "--kl-grid", "--seeds", "1"]
        asked += ["--engine", "trl", "--workers", "1", "--store", str(store)]
        if VARIANTS[name]:
            asked += ["--set", *VARIANTS[name]]
        bench = [sys.executable, "-m", "overopt"]
        planned = subprocess.run(
            [*bench, "plan", *asked, "--json"], capture_output=True, text=True, check=False
        )
        planned_s = _planned_s(planned.stdout) if planned.returncode == 0 else None
        watch = _GpuWatch()
        started_s = time.monotonic()
        command = [*bench, "run", *asked, "--quiet", "--out", str(Path(place) / "results")]
        error: str | None = None
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=timeout_s
            )
            if done.returncode != 0:
                said = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()
                error = one_line(said[-1])
        except subprocess.TimeoutExpired:
            error = f"not done after {timeout_s} s"
        wall_s = time.monotonic() - started_s
        receipts = read_receipts(store)
        host = max((receipt.peak_memory_bytes for receipt in receipts), default=None)
        return VariantRow(task, name, planned_s, wall_s, host, watch.stop(), error)


def _planned_s(text: str) -> float | None:
    """Wall time in a plan's JSON; None where the plan does not know it."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    wall_s = found.get("wall_s") if isinstance(found, dict) else None
    return float(wall_s) if isinstance(wall_s, int | float) else None


class _GpuWatch:
    """Looks at the accelerator's used memory once a second until it is stopped."""

    def __init__(self) -> None:
        self._most: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int | None:
        """The most that was seen, bytes; None where nothing could be."""
        self._over.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        program = shutil.which("nvidia-smi")
        if program is None:
            return
        asked = [program, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self._over.is_set():
            seen = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
            used = [int(line) << 20 for line in seen.split() if line.isdigit()]
            self._most = max([*used, self._most or 0]) if used else self._most
            self._over.wait(_POLL_S)
