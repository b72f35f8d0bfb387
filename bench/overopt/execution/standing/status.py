"""What a run would find in the store: cached, new, or not needed. Nothing runs, no data is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from overopt.execution.node import Node, ancestry
from overopt.execution.standing.brief import Brief, Briefs, Noted, note_briefs
from overopt.execution.standing.glance import glance
from overopt.execution.store import Store

_REQUESTS = 32
"""Manifests that are asked of an object store at once."""


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

    Manifests are looked at, or what was noted of them (``standing.brief``); checksums are not: a
    damaged artifact shows only when it is read.
    """
    wanted = list(nodes)
    everything = list(ancestry(wanted))
    found = _look_up(everything, store)
    cached: dict[str, int] = {}
    for made in everything:
        brief = found.get(made.key)
        if brief is None or len(brief.inputs) != len(made.inputs):
            continue
        # an input that is gone cannot contradict
        if all(
            given.key not in found or (given.key in cached and found[given.key].digest == digest)
            for (_, given), digest in zip(made.inputs, brief.inputs, strict=True)
        ):
            cached[made.key] = brief.size_bytes
    needed = {made.key for made in wanted}
    for made in reversed(everything):
        if made.key in needed and made.key not in cached:
            needed.update(given.key for _, given in made.inputs)
    return [NodeStatus(made, *_state(made.key, cached, needed)) for made in everything]


def _look_up(nodes: Sequence[Node], store: Store) -> dict[str, Brief]:
    """What is there of them, by its key; what had to be read is noted for the next time."""
    there, noted = store.keys(), Briefs(store.root)
    found: dict[str, Brief] = {}
    stamps: dict[str, str] = {}
    for made in nodes:
        key = made.key
        stamp = store.stamp(key) if key in there else None
        if stamp is None:
            continue
        brief = noted.find(key, stamp, len(made.inputs))
        if brief is None:
            stamps[key] = stamp
        else:
            found[key] = brief
    read = dict(_glances(list(stamps), store))
    note_briefs(store.root, [Noted(key, stamps[key], brief) for key, brief in read.items()])
    return {**found, **read}


def _glances(keys: Sequence[str], store: Store) -> Iterator[tuple[str, Brief]]:
    """Briefs from the manifests of those that have one."""
    if store.is_folder:
        seen: Iterable[Brief | None] = [glance(store, key) for key in keys]
    else:
        with ThreadPoolExecutor(_REQUESTS) as pool:
            seen = list(pool.map(lambda key: glance(store, key), keys))
    for key, brief in zip(keys, seen, strict=True):
        if brief is not None:
            yield key, brief


def _state(
    key: str, cached: Mapping[str, int], needed: Collection[str]
) -> tuple[Literal["cached", "new", "unneeded"], int]:
    """State of a key, and its bytes."""
    size_bytes = cached.get(key)
    if size_bytes is not None:
        return "cached", size_bytes
    return ("new" if key in needed else "unneeded"), 0
