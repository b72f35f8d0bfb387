"""Small graphs of toy stages."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from overopt.execution.artifact import InputEntry
from overopt.execution.costs import Receipt
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


RECEIPT = Receipt("toy", "", 1.5, 1.0, 2**20, 9, 1, "host", 0.0, {"python": "3"})


def named(value: int) -> Node:
    """A node of the stage ``number``."""
    return node(f"{STAGES}:number", {"value": value})


def put(
    store: Store, made: Node, text: str = "seven", inputs: Mapping[str, InputEntry] | None = None
) -> Path:
    """Write an artifact of two files."""
    with store.lock(made.key) as held:
        assert held
        draft = store.draft(made.key)
        (draft / "a.txt").write_text(text)
        (draft / "deep").mkdir()
        (draft / "deep" / "b.bin").write_bytes(bytes(range(256)))
        store.commit(made.key, draft, made, inputs or {}, RECEIPT)
    return store.folder(made.key)


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
