"""Files of a store, damaged at random: what is damaged is never taken for whole, and made again.

A folder in the place of a lock is refused in one sentence.

30 damages are done, and with ``FUZZ_TIMES`` above 1 500. After every tenth, the command is run.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from end_to_end.command import Place
from overopt.execution.costs import Costs
from overopt.execution.store import Store

from .inprocess import check, run

TIMES = 500 if int(os.environ.get("FUZZ_TIMES", "1")) > 1 else 30
KINDS = ("data", "manifest.json", "receipt.json", "costs.jsonl", "standing.txt", "lock")


def damage(path: Path, other: Path, rng: random.Random) -> str:
    """Do something to a file that a disk, a tool or a person may do."""
    content = path.read_bytes()
    at = rng.randrange(len(content)) if content else 0
    how = rng.choice(
        ("flip", "cut", "empty", "delete", "grow", "zero", "swap", "folder", "link", "renamed")
    )
    if how in ("flip", "zero") and content:
        new = content[at] ^ (1 << rng.randrange(8)) if how == "flip" else 0
        path.write_bytes(content[:at] + bytes([new]) + content[at + 1 :])
    elif how == "cut":
        path.write_bytes(content[:at])
    elif how == "grow":
        path.write_bytes(content + rng.randbytes(rng.randint(1, 5000)))
    elif how == "swap":
        path.write_bytes(other.read_bytes())
        other.write_bytes(content)
    elif how == "folder":
        path.unlink()
        path.mkdir()
    elif how == "link":
        path.unlink()
        path.symlink_to(other)
    elif how == "delete":
        path.unlink()
    elif how == "renamed":
        path.rename(path.with_name("another"))
    else:
        path.write_bytes(b"")
    return how


def content(folder: Path) -> dict[str, bytes]:
    """What an artifact holds, but for its receipt, which is outside of the checks."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "receipt.json"
    }


def test_damage_is_never_taken_for_whole(finished: Place, tmp_path: Path) -> None:
    rng, seen = random.Random(5), Counter[str]()
    place = Place(tmp_path / "copy")
    shutil.copytree(finished.root, place.root)
    keys = {folder.name: content(folder) for folder in finished.store.glob("??/*")}
    for number in range(TIMES):
        files = sorted(path for path in place.store.rglob("*") if path.is_file())
        of_kind: dict[str, list[Path]] = {kind: [] for kind in KINDS}
        for path in files:
            kind = "lock" if path.suffix == ".lock" else path.name
            of_kind[kind if kind in KINDS else "data"].append(path)
        kind = rng.choice(KINDS)
        how = damage(rng.choice(of_kind[kind]), rng.choice(files), rng)
        found = look(place, keys)
        seen[f"{kind} {how}: {found}"] += 1
        if number % 10 == 9:
            ended = run(place)
            assert ended.decent, f"{kind} {how}: {ended}"
            if ended.code == 2:
                assert (kind, how) == ("lock", "folder")
                seen["refused"] += 1
            else:
                assert ended.code == 0
                check(place, finished, all_there=False)
        shutil.rmtree(place.store)
        shutil.copytree(finished.store, place.store)
    told = Counter(line.rpartition(": ")[2] for line in seen.elements())
    assert told["missing"] > TIMES / 4
    print(f"{TIMES} damages: {dict(told)}")


def look(place: Place, keys: dict[str, dict[str, bytes]]) -> str:
    """What a fresh process finds; every artifact that is opened is the one that was made."""
    store = Store(place.store)
    missing = 0
    for key, wanted in keys.items():
        folder = store.open(key)
        if folder is None:
            missing += 1
            assert not store.folder(key).exists(), "what is missing is out of the way"
        else:
            assert content(folder) == wanted
        store.receipt(key)
        store.consistent(key)
    Costs(store.root)
    return "missing" if missing else "whole"


@pytest.mark.parametrize("name", ["failures", "quarantine", "kept", "tmp", "locks"])
def test_a_file_in_place_of_a_folder_of_the_store_is_told(
    name: str, finished: Place, tmp_path: Path
) -> None:
    place = Place(tmp_path / "copy")
    shutil.copytree(finished.root, place.root)
    shutil.rmtree(place.store / name)
    (place.store / name).write_text("in the way")
    ended = run(place)
    assert ended.decent and ended.code in (0, 2), ended
