"""The table that ``bench gpu-table`` writes."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from overopt.catalog.stackable import check_stackable
from overopt.catalog.toml_files import load_task
from overopt.commands.accelerated.stacks import StackRow, measure_stacks
from overopt.commands.accelerated.variants import VariantRow, run_variants
from overopt.commands.printing import open_console
from overopt.errors import UserError
from overopt.execution.code.version import library_version
from overopt.spec.method import MethodSpec

_UNKNOWN = "–"
_WIDTHS = {"cuda": (1, 8, 32, 128), "cpu": (1, 8)}
_LIBRARIES = ("torch", "transformers", "trl", "peft", "vllm")


def write(
    out: Path,
    stacked: str,
    trained: Sequence[MethodSpec],
    widths: Sequence[int],
    steps: int,
    tasks: Sequence[str],
    methods: Sequence[str],
    variants: Sequence[str],
    timeout_s: int,
) -> None:
    """Measure, print and write the table, line by line.

    Raises:
        UserError: a name is unknown, a width is not positive, the task to be stacked has no small
            policy, or a stack does not train a method.
    """
    task = load_task(stacked)
    if task.world.hub is not None or task.world.pool is not None:
        raise UserError(f"--stacked {stacked}: give a task of a generated world, such as reviews.")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    widths = widths or _WIDTHS[device]
    if min(widths) < 1:
        raise UserError(f"--width {min(widths)}: a stack has at least one place.")
    for method in trained:
        check_stackable(method)
    paper = _Paper(out)
    paper.write(_machine(device) + stack_head(task.name, device))
    for row in measure_stacks(task, trained, widths, steps, device):
        paper.write(stack_line(row))
    if tasks:
        paper.write(variant_table(run_variants(tasks, methods, variants, timeout_s)))
    open_console().print(f"written to {out}", soft_wrap=True)


class _Paper:
    """The table on its way: what is written is printed, and kept if a later part fails."""

    def __init__(self, out: Path) -> None:
        self._out, self._text, self._console = out, "", open_console()

    def write(self, text: str) -> None:
        """Write more of it."""
        self._text += text
        self._out.write_text(self._text, encoding="utf-8")
        self._console.print(text, end="", soft_wrap=True, markup=False, highlight=False)


def _machine(device: str) -> str:
    """What was measured on."""
    named = "no accelerator: everything on the CPU"
    if device == "cuda":
        about = torch.cuda.get_device_properties(0)
        named = f"{about.name}, {about.total_memory / 2**30:.0f} GiB"
    versions = ", ".join(f"{name} {library_version(name)}" for name in _LIBRARIES)
    return f"# GPU table\n\n{named}; {platform.machine()}, {versions}\n"


def stack_head(task: str, device: str) -> str:
    """The head of the stacked engine's table, as Markdown."""
    return (
        f"\n## Stacked engine, steps on {task}\n\n"
        f"| method | policies | native, ms a step on one core | stack, ms a step on {device} "
        "| steps x policies, over one core | memory, GiB |\n|---|---|---|---|---|---|\n"
    )


def stack_line(row: StackRow) -> str:
    """A stack, as a line of it."""
    times = f"{1e3 * row.native_s:.1f} | {1e3 * row.step_s:.1f} | {row.ratio:.2f}"
    return f"| {row.method} | {row.width} | {times} | {_gib(row.peak_bytes)} |\n"


def variant_table(rows: Sequence[VariantRow]) -> str:
    """Hub tasks under several settings, as Markdown."""
    lines = [
        "\n## Hub tasks, one seed, from an empty store\n",
        "| task | setting | planned, s | taken, s | host, GiB | GPU, GiB | outcome |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        planned = _UNKNOWN if row.planned_s is None else f"{row.planned_s:.0f}"
        outcome = "ok" if row.error is None else "failed: " + row.error.replace("|", "/")
        cells = (row.task, row.variant, planned, f"{row.wall_s:.0f}")
        memory = (_gib(row.host_bytes), _gib(row.gpu_bytes))
        lines.append("| " + " | ".join((*cells, *memory, outcome)) + " |")
    return "\n".join(lines) + "\n"


def _gib(size_bytes: int | None) -> str:
    return _UNKNOWN if size_bytes is None else f"{size_bytes / 2**30:.2f}"
