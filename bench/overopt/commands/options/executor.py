"""``--executor``: which machines run the stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from overopt.catalog.declarations import unknown
from overopt.commands.options.machine import MACHINE
from overopt.errors import UserError

if TYPE_CHECKING:
    from overopt.execution.executors.executor import Opening
    from overopt.execution.node import Node

KINDS = ("local", "workers", "ray")

ExecutorName = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="NAME",
        help="What runs the stages: local (processes of this machine), workers (bench worker on "
        "the same store, on any machines) or ray (a Ray cluster).",
        rich_help_panel=MACHINE,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Of the Ray cluster's head, or auto; by default Ray is started on this machine.",
        rich_help_panel=MACHINE,
    ),
]
Gpus = Annotated[
    float,
    typer.Option(
        "--gpus-per-stage",
        metavar="SHARE",
        help="With ray: the part of a GPU that a stage of a large model takes; 0.5 lets two of "
        "them share one. Memory is not set apart.",
        rich_help_panel=MACHINE,
    ),
]


@dataclass(frozen=True)
class Machines:
    """The options as given; workers: None where the user said nothing."""

    executor: str
    address: str | None
    workers: int | None
    gpus: float

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            UserError: there is no such executor, or an option belongs to another one.
        """
        if self.executor not in KINDS:
            raise UserError(unknown("executor", self.executor, KINDS))
        if self.executor != "ray" and (self.address is not None or self.gpus != 1.0):
            raise UserError(
                f"--address and --gpus-per-stage belong to --executor ray, not to {self.executor}; "
                "leave them out."
            )
        if self.executor == "workers" and self.workers is not None:
            raise UserError(
                "--executor workers starts no worker itself; leave --workers out, and give it to "
                "bench worker."
            )
        if not 0 < self.gpus <= 8:
            raise UserError(f"--gpus-per-stage {self.gpus:g}: give a number above 0, 8 at most.")


def opening(machines: Machines, is_accelerated: Callable[[Node], bool]) -> Opening | None:
    """How to open the executor; None for this machine's processes.

    Args:
        machines: the options.
        is_accelerated: whether a stage gains from a GPU.
    """
    from overopt.execution.executors.cluster import ClusterExecutor
    from overopt.execution.executors.share import ONE_CORE, Share
    from overopt.execution.executors.shared import SharedExecutor

    if machines.executor == "local":
        return None
    if machines.executor == "workers":
        return SharedExecutor

    def share(made: Node) -> Share:
        return Share(gpus=machines.gpus) if is_accelerated(made) else ONE_CORE

    return lambda store, tell: ClusterExecutor(
        store, machines.address, machines.workers, share, tell
    )
