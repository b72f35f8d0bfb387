"""The table that ``bench gpu-table`` writes."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from overopt.catalog.toml_files import load_task
from overopt.commands.accelerated.stacks import StackTable, measure_stacks
from overopt.commands.accelerated.variants import VariantRow, run_variants
from overopt.commands.printing import open_console
from overopt.errors import UserError
from overopt.execution.code.version import library_version
from overopt.spec.method import MethodSpec

_UNKNOWN = "–"
_LIBRARIES = ("torch", "transformers", "trl", "peft", "vllm")


def write(
    out: Path,
    stacked: str,
    dpo: MethodSpec,
    widths: list[int],
    steps: int,
    tasks: Sequence[str],
    methods: Sequence[str],
    variants: Sequence[str],
    timeout_s: int,
) -> None:
    """Measure, print, and write the table; what was measured is kept if a later part fails.

    Raises:
        UserError: a name is unknown, a width is not positive, or the task to be stacked has no
            small policy.
    """
    task = load_task(stacked)
    if task.world.hub is not None or task.world.pool is not None:
        raise UserError(f"--stacked {stacked}: give a task of a generated world, such as reviews.")
    if min(widths) < 1:
        raise UserError(f"--width {min(widths)}: a stack has at least one place.")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    text = _machine(device)
    stacks = measure_stacks(task, dpo, widths, steps, device)
    text += stack_table(task.name, stacks, device)
    out.write_text(text, encoding="utf-8")
    if tasks:
        text += variant_table(run_variants(tasks, methods, variants, timeout_s))
        out.write_text(text, encoding="utf-8")
    open_console().print(text, soft_wrap=True, markup=False, highlight=False)
    open_console().print(f"written to {out}", soft_wrap=True)


def _machine(device: str) -> str:
    """What was measured on."""
    named = "no accelerator: everything on the CPU"
    if device == "cuda":
        about = torch.cuda.get_device_properties(0)
        named = f"{about.name}, {about.total_memory / 2**30:.0f} GiB"
    versions = ", ".join(f"{name} {library_version(name)}" for name in _LIBRARIES)
    return f"# GPU table\n\n{named}; {platform.machine()}, {versions}\n"


def stack_table(task: str, found: StackTable, device: str) -> str:
    """The stacked engine, as Markdown."""
    lines = [
        f"\n## Stacked engine, {task}, steps of dpo\n",
        f"The native engine takes {1e3 * found.native_s:.1f} ms a step on one core.\n",
        f"| policies | ms a step, {device} | steps x policies, over one core | memory, GiB |",
        "|---|---|---|---|",
    ]
    for row in found.rows:
        memory = _gib(row.peak_bytes)
        lines.append(f"| {row.width} | {1e3 * row.step_s:.1f} | {row.ratio:.2f} | {memory} |")
    return "\n".join(lines) + "\n"


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
