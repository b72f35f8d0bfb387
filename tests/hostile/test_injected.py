"""Every call that changes the disk fails once; the same command again ends in the same bytes.

``FUZZ_TIMES`` above 1 lets each call fail for each file, and not only for the first one.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from end_to_end.command import Place
from overopt.execution.artifact import read_manifest

from .faults import BROKEN, FULL, disk, each_place_once, full_from
from .inprocess import STAGES, check, run, without

EXACTLY = int(os.environ.get("FUZZ_TIMES", "1")) > 1


def test_the_run_has_every_kind_of_stage(finished: Place) -> None:
    manifests = map(read_manifest, finished.store.glob("??/*"))
    assert set(Counter(one.stage.rpartition(".")[2] for one in manifests)) == set(STAGES)


@pytest.mark.parametrize("number", [FULL, BROKEN])
def test_every_place_that_writes_fails_once(number: int, finished: Place, tmp_path: Path) -> None:
    place = Place.fresh(tmp_path)
    verdict, failed = each_place_once(number, EXACTLY)
    attempts = 0
    while True:
        before = len(failed)
        with disk(verdict):
            ended = run(place)
        attempts += 1
        assert ended.decent, f"{failed[before:]}: {ended}"
        if ended.code == 0 and len(failed) == before:
            break
        assert len(failed) > before, f"the same command fails without a cause: {ended}"
    assert len(failed) > (300 if EXACTLY else 25), failed
    check(place, finished)
    print(f"{len(failed)} calls failed with {os.strerror(number)!r} in {attempts} commands")


@pytest.mark.parametrize("stage", STAGES if EXACTLY else STAGES[::5])
def test_a_disk_that_is_full_from_a_stage_on(stage: str, finished: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "copy")
    without(finished, place, stage)
    verdict, refused = full_from(stage)
    with disk(verdict):
        ended = run(place)
    assert refused, "the stage did not run"
    assert ended.decent and ended.code == 2, ended
    assert "is full" in ended.told and "finished stages are kept" in ended.told
    assert run(place).code == 0
    check(place, finished)
