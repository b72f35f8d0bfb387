"""The node of a streamed pool: a cell's proxies on samples that nobody keeps."""

from __future__ import annotations

from typing import Protocol

from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.run.making import Making
from overopt.run.own_files import described
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec

CHUNK_ROWS = 4096
"""Samples held at once; no part of what is drawn, but of how it is computed."""


class Asked(Protocol):
    """What is asked of a cell (see ``run.cell``)."""

    @property
    def task(self) -> TaskSpec:
        """The task."""
        ...

    @property
    def proxy(self) -> ProxySystemSpec:
        """The reward-side system."""
        ...

    @property
    def place(self) -> str:
        """What tells the cell from others of its method and proxy system."""
        ...


class Around(Making, Protocol):
    """The graph of a cell."""

    @property
    def cell(self) -> Asked:
        """The cell."""
        ...

    def proxy(self, member: int) -> Node:
        """One proxy that scores."""
        ...

    @property
    def reading_code(self) -> tuple[str, ...]:
        """What has to be loaded by name to read the proxies."""
        ...


def stream(graph: Around, prompts: int, samples_per_prompt: int) -> Node:
    """The streamed pool of a cell.

    Args:
        graph: of the cell.
        prompts: held-out prompts, from the first.
        samples_per_prompt: of each.

    Raises:
        UserError: the task has fewer held-out prompts, or its responses cannot be drawn.
    """
    cell = graph.cell
    world = cell.task.world
    if world.pool is not None:
        raise UserError(
            f"{cell.task.name}: its responses are those of a table, and no more can be drawn; "
            "choose another --task, or give the table to bench scores."
        )
    held = world.heldout_prompts
    if prompts > held:
        raise UserError(
            f"--prompts {prompts}: {cell.task.name} has {held} held-out prompts; give as many at "
            "most."
        )
    if cell.proxy.reader is not None or cell.proxy.refits:
        raise UserError(
            f"--proxy {cell.proxy.name} scores by a file of its own, which streams cannot; choose "
            "a system of plain reward models."
        )
    inputs = {"initial": graph.initial, "gold": graph.gold, "pool": graph.pool}
    for member in range(cell.proxy.scored):
        inputs[f"proxy.{member}"] = graph.proxy(member)
    params = {
        "system": described(cell.proxy),
        "prompts": prompts,
        "samples_per_prompt": samples_per_prompt,
        "chunk_rows": CHUNK_ROWS,
        "seed": world.seed,
    }
    label = f"{prompts} x {samples_per_prompt} samples by {cell.proxy.name}, {cell.place}"
    code = (cell.proxy.source, *graph.gold_code, *graph.reading_code)
    return graph.make("streamed.stream", params, inputs, label, code)
