"""Reports of running stages: whole or absent, at most five a second, never waited for."""

from __future__ import annotations

import os
import select
from itertools import count
from multiprocessing import Pipe

import pytest

from overopt.execution.progress import Report, piped_progress


@pytest.mark.parametrize("text", ["", "step 3 of 10", "żółć 言語", '"\n\x00\\'])
def test_a_report_survives_the_pipe(text: str) -> None:
    reading, sending = Pipe(duplex=False)
    piped_progress(7, sending)(0.25, text)
    assert Report.from_bytes(reading.recv_bytes()) == Report(7, os.getpid(), 0.25, text)


@pytest.mark.parametrize("letter", ["a", "\x00", "語", "\U0001f600"])
def test_a_long_text_is_cut_to_what_a_pipe_takes_whole(letter: str) -> None:
    message = Report(2**40, 2**22, 1 / 3, letter * 100_000).to_bytes()
    assert len(message) + 4 <= select.PIPE_BUF
    assert Report.from_bytes(message) == Report(2**40, 2**22, 1 / 3, letter * 40)


def test_reports_are_rare_and_fractions_in_range() -> None:
    reading, sending = Pipe(duplex=False)
    times_s = iter((1.0, 1.125, 1.1875, 1.25, 5.0))
    report = piped_progress(1, sending, lambda: next(times_s))
    for fraction in (-1.0, 0.2, 0.3, 0.4, 2.0):
        report(fraction, "")
    found = []
    while reading.poll():
        found.append(Report.from_bytes(reading.recv_bytes()).fraction)
    assert found == [0.0, 0.4, 1.0]


def test_a_full_or_closed_pipe_holds_up_no_stage() -> None:
    reading, sending = Pipe(duplex=False)
    os.set_blocking(sending.fileno(), False)
    seconds = count()
    report = piped_progress(1, sending, lambda: float(next(seconds)))
    for step in range(10_000):
        report(step / 10_000, "some words that fill the pipe")
    heard = 0
    while reading.poll():
        assert Report.from_bytes(reading.recv_bytes()) == Report(
            1, os.getpid(), heard / 10_000, "some words that fill the pipe"
        )
        heard += 1
    assert 100 < heard < 10_000
    reading.close()
    report(1.0, "nobody listens")
