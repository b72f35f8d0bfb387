"""The part of ``bench plan`` about stages: how many, where, how long, how much room."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from overopt.commands.printing import print_colored
from overopt.report.quantities import show_bytes, show_duration
from overopt.run.forecasts.machines import ASSUMPTION, Accelerator, Machine
from overopt.run.forecasts.stages import Forecast, StageForecast


def print_forecast(
    found: Forecast, machine: Machine, workers: int, download_gb: float, console: Console
) -> None:
    """Print a row per kind of stage, the totals, and what they rest on."""
    console.print(_table(found))
    accelerated = any(one.accelerated for one in found.stages)
    parts = [f"{_bytes(found.memory_bytes)} of memory"]
    if accelerated:
        parts.append(f"{_bytes(found.accelerator_bytes)} of GPU memory")
    free = _bytes(found.free_bytes)
    parts.append(f"{_bytes(found.disk_bytes)} of disk ({free} free)")
    if download_gb:
        parts.append(f"{_bytes(download_gb * 1e9)} to download")
    console.print(
        f"about {_duration(found.wall_s)} with {workers} workers, {', '.join(parts)}; "
        "these are estimates, nothing was run",
        soft_wrap=True,
    )
    measured = [one.stage for one in found.stages if one.measured]
    if measured:
        console.print(
            f"by what they have cost in this store: {', '.join(measured)}", soft_wrap=True
        )
    if found.wall_s is None:
        console.print(
            "unknown: a model is not here and its parameters_b is not declared", soft_wrap=True
        )
    if accelerated and machine.accelerator is not None:
        console.print(_on(machine.accelerator, machine.is_found), soft_wrap=True)
        _warn_of_memory(found, machine.accelerator, console)


def _table(found: Forecast) -> Table:
    table = Table(title="Stages")
    for name in ("stage", "cached", "new", "on", "time to run", "memory of one", "disk needed"):
        table.add_column(name, justify="left" if name in ("stage", "on") else "right")
    for one in found.stages:
        cost = (_place(one), _duration(one.wall_s), _bytes(one.memory_bytes))
        table.add_row(
            one.stage,
            str(one.cached),
            str(one.new),
            *((*cost, _bytes(one.disk_bytes)) if one.new else ()),
        )
    return table


def _place(one: StageForecast) -> str:
    if one.accelerated in (0, one.new):
        return "GPU" if one.accelerated else "CPU"
    return "GPU, CPU"


def _on(accelerator: Accelerator, is_found: bool) -> str:
    """What the times on the accelerator rest on."""
    counted = "2 operations per parameter and token forward, 6 in training, runs to their last step"
    if is_found:
        rate = accelerator.operations_per_s
        return (
            f"GPU: {accelerator.name} of this machine, taken to achieve "
            f"{rate['float32'] / 1e12:.3g} Tflop/s in float32 and {rate['bfloat16'] / 1e12:.3g} "
            f"in bfloat16; {counted}"
        )
    return (
        f"GPU: none was found here, so that bench run would use this machine's CPU, about a "
        f"thousand times slower; times are those of one {accelerator.name} at {ASSUMPTION}; "
        f"{counted}"
    )


def _warn_of_memory(found: Forecast, accelerator: Accelerator, console: Console) -> None:
    """Say where the accelerator is too small for a stage, or for as many as run at once."""
    room = accelerator.memory_bytes
    large = {
        one.stage: one.memory_bytes
        for one in found.stages
        if one.accelerated and one.memory_bytes is not None
    }
    for stage, memory_bytes in large.items():
        if memory_bytes > room:
            print_colored(
                console,
                "red",
                stage,
                f" needs about {_bytes(memory_bytes)}, and the GPU has {_bytes(room)}; lower its "
                f"batch size{', or set trl.micro_batch' if stage == 'optimize' else ''}",
            )
    at_once = found.accelerator_bytes
    largest = max(large.values(), default=0.0)
    if at_once is not None and largest <= room < at_once:
        print_colored(
            console,
            "yellow",
            "the stages of all workers at once",
            f" need about {_bytes(at_once)}, and the GPU has {_bytes(room)}; give --workers "
            f"{int(room // largest)}",
        )


def _bytes(count: float | None) -> str:
    return "unknown" if count is None else show_bytes(count, 3)


def _duration(wall_s: float | None) -> str:
    return "unknown" if wall_s is None else show_duration(wall_s)
