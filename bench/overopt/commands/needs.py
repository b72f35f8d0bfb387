"""The part of ``bench plan`` about models and data that come from outside."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from overopt.execution.node import Node, ancestry
from overopt.report.quantities import show_bytes, show_duration
from overopt.run.hub_forecast import CPU, GPU, HubForecast


def is_offline() -> bool:
    """Whether the user has told the hub's library to stay offline."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def per_stage_s(needed: HubForecast | None, nodes: Sequence[Node]) -> dict[str, float]:
    """Seconds of one stage of each kind on one CPU core; nothing for generated worlds."""
    if needed is None:
        return {}
    counts = Counter(made.name for made in ancestry(nodes))
    return {
        stage: wall_s / counts[stage]
        for stage, wall_s in needed.stage_s(CPU).items()
        if counts[stage]
    }


def print_needs(needed: HubForecast, console: Console) -> None:
    """Print what a hub run takes from outside, and what memory and hours it needs."""
    table = Table(title="Models and data")
    for name in ("role", "name", "revision", "license", "state"):
        table.add_column(name, overflow="fold")
    for name in ("size", "parameters"):
        table.add_column(name, justify="right")
    for one in needed.needs:
        table.add_row(
            one.role,
            escape(one.name),
            one.revision[:10],
            escape(one.license),
            one.state,
            "unknown" if one.size_gb is None else show_bytes(1e9 * one.size_gb, 3),
            "" if one.parameters is None else f"{one.parameters / 1e6:,.4g} M",
        )
    console.print(table)
    for one in needed.needs:
        if one.note:
            console.print(f"[yellow]{one.role}[/]: {escape(one.note)}", soft_wrap=True)
    absent = [one for one in needed.needs if one.state != "here"]
    if absent:
        names = ", ".join(one.name for one in absent)
        known = show_bytes(1e9 * needed.download_gb, 3)
        console.print(
            f"{absent[0].state}: {escape(names)}; known sizes add up to {known}",
            soft_wrap=True,
        )
    if needed.memory_gb is None:
        console.print(
            "memory and hours unknown: a model is not here and its parameters_b is not declared"
        )
        return
    console.print(
        f"about {show_bytes(1e9 * needed.memory_gb)} of accelerator memory: 4 copies of the policy "
        "to train it and 1 as reference, activations of 34 x width / 2 numbers per token and "
        "layer, 4 copies of the logits, and the proxies",
        soft_wrap=True,
    )
    for machine in (GPU, CPU):
        wall_s = 3600 * (needed.hours(machine) or 0.0)
        console.print(
            f"about {show_duration(wall_s)} on {machine.name}: 2 operations per parameter and "
            "token forward, 6 in training, weights read once per position while sampling",
            soft_wrap=True,
        )
