"""Disks that fill up, refuse to be written or lose a bit: one sentence, or the same bytes again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .command import Place
from .conftest import MAIN

Mount = Callable[[Path, str], None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts a file system in memory, where the tests may do that; unmounts it at the end."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    mounted: list[Path] = []

    def attach(place: Path, options: str) -> None:
        place.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip("this system does not let the tests mount")
        mounted.append(place)

    yield attach
    for place in reversed(mounted):
        subprocess.run(["umount", "-l", str(place)], check=True)


def _one_sentence(ended: subprocess.CompletedProcess[str], *words: str) -> None:
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1, ended.stderr
    for word in words:
        assert word in ended.stderr


def test_a_flipped_byte_of_a_proxy_is_rebuilt_to_the_same_bytes(
    undisturbed: Place, tmp_path: Path
) -> None:
    place = Place(tmp_path / "copy")
    shutil.copytree(undisturbed.root, place.root)
    shutil.rmtree(place.out)
    for stage in ("score", "select", "measure"):
        for folder in place.stages(stage):
            shutil.rmtree(folder)
    victim = place.stages("proxy")[0]
    weights = victim / "model" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    place.done(*MAIN)
    assert place.files() == undisturbed.files()
    assert place.digests() == undisturbed.digests()
    (quarantined,) = (place.store / "quarantine").glob(f"{victim.name}.*.txt")
    assert "model.safetensors is not what the manifest says" in quarantined.read_text()
    again = {key for key, times in place.built().items() if times > 1}
    removed = {f.name for stage in ("score", "select", "measure") for f in place.stages(stage)}
    assert again == removed | {victim.name}  # and nothing else


def test_a_full_disk_of_the_store_is_told_and_mended(
    undisturbed: Place, tmp_path: Path, mount: Mount
) -> None:
    place = Place.fresh(tmp_path)
    mount(place.store, "size=700k")
    _one_sentence(place.run(*MAIN), "is full", "OVEROPT_STORE", "finished stages are kept")
    assert not place.out.exists() or not list(place.out.iterdir())
    subprocess.run(["mount", "-o", "remount,size=64m", str(place.store)], check=True)
    finished = place.built()
    place.done(*MAIN)
    assert place.files() == undisturbed.files()
    assert all(place.built()[key] == 1 for key in finished)


def test_a_store_that_cannot_be_written_is_told_at_once(tmp_path: Path, mount: Mount) -> None:
    place = Place.fresh(tmp_path)
    mount(place.store, "ro,size=1m")
    _one_sentence(place.run(*MAIN), str(place.store), "OVEROPT_STORE")


def test_results_that_cannot_be_written_are_told_before_any_work(
    tmp_path: Path, mount: Mount
) -> None:
    place = Place.fresh(tmp_path)
    mount(place.out, "ro,size=1m")
    _one_sentence(place.run(*MAIN), "results", "--out")
    assert not place.store.exists()


@pytest.mark.parametrize("option", ["--out", "--store"])
def test_a_file_in_the_way_is_told(tmp_path: Path, option: str) -> None:
    place = Place.fresh(tmp_path)
    (tmp_path / "file").write_text("in the way")
    _one_sentence(place.run(*MAIN, option, "file/inside"), "file")
