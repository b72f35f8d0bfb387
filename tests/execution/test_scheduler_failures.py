"""The scheduler when things go wrong: lost workers, damaged inputs, rivals, full disks, Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.execution import scheduler as scheduler_module
from overopt.execution.code.modules import load_module
from overopt.execution.executors.local import InlineExecutor
from overopt.execution.messages import Lost, Message
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice
from overopt.execution.scheduler import execute
from overopt.execution.stage import node
from overopt.execution.store import Store

from .inline import begun, build, number
from .toys import STAGES, ladder, once, total, toy

Log = Callable[[], list[str]]


class Flaky(InlineExecutor):
    """Loses a stage a number of times before it lets it run."""

    def __init__(self, store: Store, losses: int) -> None:
        super().__init__(store)
        self.losses = losses

    def next_message(self, timeout_s: float) -> Message | None:
        """A loss, while there are some left."""
        if self.losses and self._waiting:
            self.losses -= 1
            return Lost(self._waiting.popleft().key, "died", "its worker was lost")
        return super().next_message(timeout_s)


@pytest.mark.parametrize(("losses", "kind"), [(2, None), (3, "died")])
def test_two_retries(store: Store, toy_log: Log, losses: int, kind: str | None) -> None:
    made = toy("number", value=1)
    told: list[Notice] = []
    [result] = execute([once([made])], store, Flaky(store, losses), told.append)
    assert result.value is not None
    failure = result.value[0].failure
    assert (failure.kind if failure else None) == kind
    assert [n.kind for n in told].count("retried") == 2
    assert len(toy_log()) == (0 if kind else 1)


class Vandal(InlineExecutor):
    """Damages an input after it was settled, just before its dependent runs."""

    def __init__(self, store: Store, victim: Path, times: int) -> None:
        super().__init__(store)
        self.victim = victim
        self.times = times

    def next_message(self, timeout_s: float) -> Message | None:
        """Damage, then run."""
        if self.times and self._waiting[0].inputs:
            self.times -= 1
            (self.victim / "number.txt").write_text("damaged")
        return super().next_message(timeout_s)


@pytest.mark.parametrize(("times", "fails"), [(2, False), (3, True)])
def test_an_input_damaged_under_way_is_rebuilt(
    store: Store, toy_log: Log, times: int, fails: bool
) -> None:
    bottom = total("bottom", {}, value=1)
    tops = [total(f"top{i}", {"x": bottom}) for i in range(2)]
    executor = Vandal(store, store.folder(bottom.key), times)
    told: list[Notice] = []
    [result] = execute([once([*tops, bottom])], store, executor, told.append)
    assert result.value is not None
    assert number(result.value[2]) == 1
    assert begun(toy_log).count("bottom") == 1 + times
    assert [outcome.failure is not None for outcome in result.value].count(True) == int(fails)
    last = told[-1].tally
    assert (last.cached, last.built, last.failed) == (0, 3 - int(fails), int(fails))


def test_a_full_disk_stops_the_run_and_loses_nothing(store: Store, toy_log: Log) -> None:
    done = total("done", {}, value=2)
    with pytest.raises(UserError, match=r"disk of the store .* is full"):
        execute([once([done, toy("full")])], store, InlineExecutor(store))
    assert store.open(done.key) is not None
    assert not list(store.root.glob("tmp/*/*"))
    assert not list((store.root / "failures").iterdir())


class Rival(InlineExecutor):
    """Holds a key's lock, as another driver does that builds it, for the first few messages."""

    def __init__(self, store: Store, made: Node, finishes: bool) -> None:
        super().__init__(store)
        self.made = made
        self.finishes = finishes
        self.rival = Store(store.root)
        self.left = 2

    def next_message(self, timeout_s: float) -> Message | None:
        """The rival builds for two messages; then it has finished, or given up."""
        if self._waiting and self.left:
            self.left -= 1
            with self.rival.lock(self.made.key) as held:
                assert held
                return super().next_message(timeout_s)
        if self.finishes and self.rival.open(self.made.key) is None:
            InlineExecutor.submit(self, self.made)
            ended = super().next_message(timeout_s)
            assert ended is not None
            return None
        return super().next_message(timeout_s)


def test_what_another_driver_builds_is_waited_for(
    store: Store, toy_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "_BUSY_POLL_S", 0.0)
    for finishes in (False, True):
        made = total(f"both{finishes}", {}, value=int(finishes))
        told: list[Notice] = []
        [result] = execute([once([made])], store, Rival(store, made, finishes), told.append)
        assert result.value is not None
        assert number(result.value[0]) == int(finishes)
        assert begun(toy_log).count(made.label) == 1
        assert [n.kind for n in told].count("elsewhere") == 2
        assert told[-1].kind == ("cached" if finishes else "built")


class Impatient(InlineExecutor):
    """A user who presses Ctrl-C after a number of stages."""

    left = 3

    def next_message(self, timeout_s: float) -> Message | None:
        """Count down, then interrupt."""
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().next_message(timeout_s)


def test_ctrl_c_says_that_the_same_command_continues(store: Store, toy_log: Log) -> None:
    top = ladder(2, 3)
    with pytest.raises(KeyboardInterrupt, match="3 of 6 stages are done and kept"):
        execute([once(top)], store, Impatient(store))
    build(store, *top)
    assert len(begun(toy_log)) == len(set(begun(toy_log))) == 6


def test_edited_code_is_noticed(store: Store, toy_log: Log) -> None:
    made = toy("number", value=1)
    old = Node(made.stage, made.params, (), "0" * 64)
    failure = build(store, old)[0].failure
    assert failure is not None
    assert "was edited while the run was going on" in failure.message
    assert failure.traceback == ""
    assert toy_log() == []


def test_code_that_a_node_does_not_name_is_not_loaded(store: Store, toy_log: Log) -> None:
    params = {"module": "overopt.errors"}
    unnamed = node(f"{STAGES}:reach", params)
    named = node(f"{STAGES}:reach", params, extra_code=["overopt.errors"])
    refused, built = build(store, unnamed, named)
    assert refused.failure is not None and built.failure is None
    assert "overopt.errors is loaded by name" in refused.failure.message
    load_module("overopt.errors")  # nothing is being built


@pytest.mark.parametrize(
    ("stage", "told"),
    [("shout", r"RuntimeError: \x1b[2J x"), ("mumble", "Wordless: it cannot be put in words")],
)
def test_what_a_stage_says_has_bounds(store: Store, stage: str, told: str) -> None:
    [outcome] = build(store, toy(stage))
    assert outcome.failure is not None
    assert outcome.failure.message.startswith(told) and outcome.failure.message.isprintable()
    assert len(outcome.failure.message) < 2_100
    assert len(outcome.failure.traceback) < 51_000
    assert (store.root / "failures" / f"{outcome.failure.key}.json").stat().st_size < 60_000
