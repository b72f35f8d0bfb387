"""What a run would find in the store: cached, new, or not needed. Nothing runs, no file is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from overopt.execution.node import Node, ancestry
from overopt.execution.standing.glance import glance
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
    there = store.keys()
    digests: dict[str, str] = {}
    cached: dict[str, int] = {}
    for made in everything:
        found = glance(store, made.key) if made.key in there else None
        if found is None:
            continue
        digests[made.key] = found.digest
        # an input that is gone cannot contradict
        if all(
            key not in digests or (key in cached and digests[key] == digest)
            for key, digest in found.inputs.items()
        ):
            cached[made.key] = found.size_bytes
    needed = {made.key for made in wanted}
    for made in reversed(everything):
        if made.key in needed and made.key not in cached:
            needed.update(given.key for _, given in made.inputs)
    return [NodeStatus(made, *_state(made.key, cached, needed)) for made in everything]


def _state(
    key: str, cached: Mapping[str, int], needed: Collection[str]
) -> tuple[Literal["cached", "new", "unneeded"], int]:
    """State of a key, and its bytes."""
    size_bytes = cached.get(key)
    if size_bytes is not None:
        return "cached", size_bytes
    return ("new" if key in needed else "unneeded"), 0
