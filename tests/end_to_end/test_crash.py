"""Killed at any moment, the same command continues and ends with the same bytes.

Half of the kills strike the driver, half one of its workers; the moments come from a seeded
generator. Whenever a run gets to its end before all kills are spent, it is compared and the next
one starts in a store of its own.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from .command import Place
from .conftest import MAIN

KILLS = 20
LONGEST_WAIT_S = 6.0
STUCK_S = 1800.0
"""An undisturbed rest takes seconds on a quiet machine; after this long it is called stuck."""


def _strike(driver: subprocess.Popen[bytes], at_driver: bool, rng: np.random.Generator) -> bool:
    """Kill the driver or one of the processes that it started; whether there was one."""
    if at_driver:
        driver.kill()
        driver.wait()
        return True
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(driver.pid).children(recursive=True)
        if children:
            children[int(rng.integers(len(children)))].kill()
            return True
    return False


def _spend(place: Place, kills: list[bool], rng: np.random.Generator) -> int:
    """Run to the end, killing at random moments as long as there are kills left."""
    spent = 0
    while True:
        driver = place.start(*MAIN)
        try:
            while driver.returncode is None:
                left = spent < len(kills)
                wait_s = float(rng.uniform(0.0, LONGEST_WAIT_S)) if left else STUCK_S
                try:
                    driver.wait(wait_s)
                except subprocess.TimeoutExpired:
                    assert left, "the run is stuck"
                    spent += _strike(driver, kills[spent], rng)
        finally:
            driver.kill()
            driver.wait()
        if driver.returncode == 0:
            return spent
        # A stage whose worker was lost three times is given up until the command is repeated.
        assert driver.returncode in (1, -signal.SIGKILL)


def test_runs_killed_twenty_times_end_as_undisturbed_ones(
    undisturbed: Place, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    left = [bool(at_driver) for at_driver in rng.permutation(np.arange(KILLS) % 2)]
    for number in itertools.count():
        place = Place.fresh(tmp_path / str(number))
        del left[: _spend(place, left, rng)]
        ours = place.files()
        wanted = undisturbed.files()
        assert {name: ours[name] for name in wanted} == wanted
        assert place.digests() == undisturbed.digests()
        assert max(place.built().values()) == 1
        if not left:
            return
