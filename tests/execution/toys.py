"""Small graphs of toy stages."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from overopt.execution.node import Node, Resources, ancestry
from overopt.execution.outcomes import Outcome
from overopt.execution.stage import node
from overopt.execution.store import Store

from . import toy_stages

STAGES = toy_stages.__name__


def toy(stage: str, timeout_s: float | None = 60.0, **params: object) -> Node:
    """A toy node without inputs."""
    return node(f"{STAGES}:{stage}", params, resources=Resources(timeout_s=timeout_s))


def total(name: str, inputs: Mapping[str, Node], value: int = 0) -> Node:
    """A toy node: value plus twice the sum of its inputs."""
    return node(f"{STAGES}:total", {"name": name, "value": value}, inputs, label=name)


def ladder(width: int, height: int) -> list[Node]:
    """The top row of ``width`` times ``height`` nodes, each above two of the row below."""
    row = [total(f"0.{i}", {}, value=i + 1) for i in range(width)]
    for level in range(1, height):
        row = [
            total(f"{level}.{i}", {"left": row[i - 1], "right": row[i]}, value=level)
            for i in range(width)
        ]
    return row


def once(wanted: Sequence[Node]) -> Generator[Sequence[Node], Mapping[str, Outcome], list[Outcome]]:
    """A cell that asks once and returns the outcomes in the order of its wishes."""
    outcomes = yield wanted
    return [outcomes[made.key] for made in wanted]


def contents(store: Store, wanted: list[Node]) -> dict[str, bytes]:
    """Every byte of the artifacts of some nodes and of all that they were made from."""
    found: dict[str, bytes] = {}
    for made in ancestry(wanted):
        folder = store.open(made.key)
        assert folder is not None
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != "receipt.json":
                found[f"{made.key}/{path.relative_to(folder)}"] = path.read_bytes()
    return found
