"""A quick look says what a careful one says, and reads each manifest once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.execution import costs
from overopt.execution.costs import Receipt, append_receipt, read_receipts
from overopt.execution.executors.local import InlineExecutor
from overopt.execution.node import Node
from overopt.execution.scheduler import execute
from overopt.execution.standing import status as standing
from overopt.execution.standing.brief import FILE, Brief
from overopt.execution.standing.glance import glance
from overopt.execution.standing.status import status
from overopt.execution.store import Store

from ..toys import once, total


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "toy.log"))
    return Store(tmp_path / "store")


def _built(store: Store) -> list[Node]:
    """A bottom, four in the middle, and a top that reads all of them."""
    bottom = total("bottom", {}, value=1)
    middle = {f"m{i}": total(f"middle {i}", {"x": bottom}) for i in range(4)}
    top = total("top", {**middle, "bottom": bottom})
    execute([once([top])], store, InlineExecutor(store))
    return [bottom, *middle.values(), top]


def test_a_glance_says_what_the_manifest_says(store: Store) -> None:
    for made in _built(store):
        manifest = store.manifest(made.key)
        assert manifest is not None
        inputs = [given.digest[:16] for _, given in sorted(manifest.inputs.items())]
        told = Brief(manifest.digest[:16], tuple(inputs), manifest.size_bytes)
        assert glance(store, made.key) == manifest.brief == told
    assert glance(store, "a" * 64) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "[" * 100_000, '{"key": 1}', '{"key": "KEY", "format": 1, "inputs": []}',
     '{"key": "KEY", "format": 1, "inputs": {}, "files": {"a": {"size_bytes": "x"}}}'],
)  # fmt: skip
def test_what_is_no_manifest_is_no_artifact(text: str, store: Store) -> None:
    bottom, *_, top = _built(store)
    place = store.folder(bottom.key) / "manifest.json"
    place.write_text(text.replace("KEY", bottom.key))
    assert glance(store, bottom.key) is None
    found = {one.node.label: one.state for one in status([top], store)}
    assert (found["bottom"], found["top"]) == ("unneeded", "cached")


def test_a_manifest_of_another_form_is_refused(store: Store) -> None:
    bottom = _built(store)[0]
    place = store.folder(bottom.key) / "manifest.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "format": 99}))
    with pytest.raises(UserError, match="format = 99"):
        glance(store, bottom.key)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the manifests that are read."""
    keys: list[str] = []

    def counting(one: Store, key: str) -> Brief | None:
        keys.append(key)
        return glance(one, key)

    monkeypatch.setattr(standing, "glance", counting)
    return keys


def _states(top: Node, store: Store) -> list[str]:
    return [one.state for one in status([total("absent", {"x": top})], store)]


def test_what_was_noted_when_it_was_built_is_not_read(store: Store, read: list[str]) -> None:
    every = _built(store)
    assert _states(every[-1], store) == ["cached"] * len(every) + ["new"]
    assert read == []


def test_without_notes_each_manifest_is_read_once_and_noted(store: Store, read: list[str]) -> None:
    every = _built(store)
    (store.root / FILE).unlink()
    for _ in range(2):
        assert _states(every[-1], store) == ["cached"] * len(every) + ["new"]
        assert sorted(read) == sorted(made.key for made in every)


def test_a_manifest_that_has_changed_is_read_again(store: Store, read: list[str]) -> None:
    bottom, *_, top = _built(store)
    place = store.folder(bottom.key) / "manifest.json"
    body = json.loads(place.read_text())
    place.write_text(json.dumps({**body, "digest": "0" * 64}))
    # all that was made from other bytes would be made again
    assert set(_states(top, store)[1:]) == {"new"}
    assert read == [bottom.key]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: "",
        lambda line: line[:-1],
        lambda line: line[:-17],
        lambda line: line[:40],
        lambda line: line[:16],
        lambda line: line + " " + "0" * 16,
        lambda line: line.replace(" ", "  "),
        lambda line: " ".join([*line.split(" ")[:3], "-1", *line.split(" ")[4:]]),
        lambda line: line + "\udcff",
    ],
)
def test_a_spoiled_note_costs_a_look_and_nothing_else(
    spoil: Callable[[str], str], store: Store, read: list[str]
) -> None:
    every = _built(store)
    notes = store.root / FILE
    lines = [spoil(line) for line in notes.read_text().splitlines()]
    notes.write_text("\n".join(lines) + "\n", errors="surrogateescape")
    found = status([every[-1]], store)
    assert [one.state for one in found] == ["cached"] * len(every)
    for one in found:
        truth = glance(store, one.node.key)
        assert truth is not None and one.size_bytes == truth.size_bytes


def test_a_store_that_cannot_be_noted_in_is_looked_at(store: Store, read: list[str]) -> None:
    every = _built(store)
    (store.root / FILE).unlink()
    (store.root / FILE).mkdir()
    assert _states(every[-1], store) == ["cached"] * len(every) + ["new"]


def test_of_many_receipts_the_newest_are_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.prepare()
    for number in range(50):
        receipt = Receipt("s", "", float(number), 1.0, 1, 1, 1, "host", 0.0, {}, "k", ())
        append_receipt(store.root, f"{number:064d}", receipt)
    line_bytes = (store.root / "costs.jsonl").stat().st_size / 50
    monkeypatch.setattr(costs, "_READ_BYTES", int(10.5 * line_bytes))
    assert [one.wall_s for one in read_receipts(store.root)] == [float(n) for n in range(40, 50)]
