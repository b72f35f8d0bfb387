"""What a run would find in the store: cached, new, or not needed. Nothing runs, no file is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from overopt.execution.node import Node, ancestry
from overopt.execution.store import Store


@dataclass(frozen=True)
class NodeStatus:
    """A node and its state in the store.

    Attributes:
        node: the node.
        state: ``cached``: there, made from the inputs that the store now holds; ``new``: a run
            would build it; ``unneeded``: not there, and nothing that is new needs it.
        size_bytes: of a cached artifact's files, else 0.
    """

    node: Node
    state: Literal["cached", "new", "unneeded"]
    size_bytes: int


def status(nodes: Iterable[Node], store: Store) -> list[NodeStatus]:
    """State of the wanted nodes and of all their ancestors, inputs first.

    Manifests are looked at, checksums are not: a damaged artifact shows only when it is read.
    """
    wanted = list(nodes)
    everything = list(ancestry(wanted))
    known: dict[str, bool] = {}
    there = store.keys()
    cached = {
        made.key for made in everything if made.key in there and store.consistent(made.key, known)
    }
    needed = {made.key for made in wanted}
    for made in reversed(everything):
        if made.key in needed and made.key not in cached:
            needed.update(given.key for _, given in made.inputs)
    found: list[NodeStatus] = []
    for made in everything:
        manifest = store.manifest(made.key) if made.key in cached else None
        if manifest is not None:
            found.append(NodeStatus(made, "cached", manifest.size_bytes))
        else:
            found.append(NodeStatus(made, "new" if made.key in needed else "unneeded", 0))
    return found
