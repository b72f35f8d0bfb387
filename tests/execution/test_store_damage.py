"""Artifacts that are damaged on the disk, and manifests that say nothing or too much."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from overopt.execution.store import Store

from .toys import flip, named, put


def into_link(path: Path) -> None:
    """Replace a file by a link."""
    path.unlink()
    path.symlink_to("deep")


def into_file(folder: Path) -> None:
    """Replace a folder by a file."""
    shutil.rmtree(folder)
    folder.write_text("")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped bit": lambda f: flip(f / "deep" / "b.bin"),
    "truncated": lambda f: (f / "a.txt").write_text("sev"),
    "emptied": lambda f: (f / "a.txt").write_text(""),
    "file deleted": lambda f: (f / "a.txt").unlink(),
    "file added": lambda f: (f / "c.txt").write_text("?"),
    "file became a link": lambda f: into_link(f / "a.txt"),
    "manifest deleted": lambda f: (f / "manifest.json").unlink(),
    "manifest flipped": lambda f: flip(f / "manifest.json"),
    "manifest truncated": lambda f: (f / "manifest.json").write_text("{"),
    "manifest is a list": lambda f: (f / "manifest.json").write_text("[]"),
    "manifest of other parameters": lambda f: (f / "manifest.json").write_text(
        (f / "manifest.json").read_text().replace('"value": 7', '"value": 8')
    ),
    "folder became a file": into_file,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("fresh", [True, False])
def test_damage_is_quarantined_and_counts_as_missing(
    store: Store, damage: str, fresh: bool
) -> None:
    made = named(7)
    folder = put(store, made)
    assert store.open(made.key) is not None
    DAMAGES[damage](folder)
    reader = Store(store.root) if fresh else store
    assert reader.open(made.key) is None
    assert not folder.exists()
    reasons = list((store.root / "quarantine").glob("*.txt"))
    assert len(reasons) == 1
    assert reasons[0].read_text().strip()
    put(reader, made)
    assert reader.open(made.key) == folder


def test_every_flipped_byte_is_seen(store: Store) -> None:
    made = named(7)
    folder = put(store, made)
    names = ("a.txt", "manifest.json")
    for path in (folder / name for name in names):
        content = path.read_bytes()
        for at in range(0, len(content), max(1, len(content) // 40)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
            with pytest.raises(Exception, match=r"manifest|is not what"):
                Store(store.root)._verify(made.key)
        path.write_bytes(content)
    assert store.open(made.key) == folder


@pytest.mark.parametrize("spoil", ["folder", "deep", "link"])
def test_what_lies_in_place_of_a_manifest_is_damage(spoil: str, store: Store) -> None:
    made = named(7)
    folder = put(store, made)
    path = folder / "manifest.json"
    assert path.is_file()
    path.unlink()
    if spoil == "folder":
        path.mkdir()
    elif spoil == "deep":
        path.write_text("[" * 100_000)
    else:
        path.symlink_to(folder / "nowhere")
    again = Store(store.root)
    assert again.manifest(made.key) is None
    assert again.open(made.key) is None
    assert not folder.exists()
    put(again, made)
    assert again.open(made.key) == folder
