"""What is shown of a run, on a terminal and where there is none."""

from __future__ import annotations

import io

from rich.console import Console

from overopt.commands.screen import Screen
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Tally

LONG = Node(
    "overopt.stages.optimize", {}, (), "c", label="rloo against single, noise 0 " + "w" * 99
)
SHORT = Node("overopt.stages.gold", {}, (), "c", label="gold rule, world 0")


def tally(built: int, running: int, waiting: int, cached: int = 0) -> Tally:
    return Tally(cached=cached, built=built, failed=0, running=running, waiting=waiting)


def screen(terminal: bool, width: int = 80) -> tuple[Screen, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=width, color_system=None)
    return Screen(console, quiet=False, workers=2), stream


def test_without_a_terminal_a_line_names_what_finished() -> None:
    shown, stream = screen(terminal=False, width=40)
    with shown:
        shown(Notice("started", SHORT, tally(0, 1, 9), left_s=200.0))
        shown(Notice("advanced", SHORT, tally(0, 1, 9), "step 3", 0.5, left_s=200.0))
        shown(Notice("built", SHORT, tally(1, 0, 9), wall_s=4.0, left_s=300.0))
        shown(Notice("built", LONG, tally(10, 0, 0), wall_s=60.0))
    assert stream.getvalue().splitlines() == [
        "1 of 10: gold rule, world 0, 4 s, about 2.5 min left",  # 300 s of work, 2 workers
        f"10 of 10: {LONG.label}, 60 s",
    ]


def test_a_terminal_shows_what_runs_cut_on_the_right() -> None:
    shown, stream = screen(terminal=True)
    with shown:
        shown(Notice("started", LONG, tally(0, 1, 9), left_s=40.0))
        words = "step 12, KL 1.23 nats, reward 0.40"
        shown(Notice("advanced", LONG, tally(0, 1, 9), words, 0.5, left_s=40.0))
        shown._progress.refresh()
    told = stream.getvalue()
    assert words in told
    assert "rloo" in told
    assert "…" in told
    assert "0 of 10, about 20 s left" in told
    assert max(len(line) for line in told.replace("\r", "\n").splitlines()) <= 80 + 20


def test_text_of_a_stage_is_no_markup() -> None:
    shown, stream = screen(terminal=False)
    with shown:
        shown(Notice("failed", SHORT, tally(0, 0, 1), "a [red]word[/]"))
    assert stream.getvalue() == "failed: gold rule, world 0: a [red]word[/]\n"


def test_a_run_that_found_everything_is_complete() -> None:
    shown, _ = screen(terminal=False)
    seen = [shown.found_everything]
    shown(Notice("cached", SHORT, tally(0, 0, 0, cached=5)))
    seen.append(shown.found_everything)
    shown(Notice("built", SHORT, tally(1, 0, 0, cached=5)))
    seen.append(shown.found_everything)
    assert seen == [False, True, False]
