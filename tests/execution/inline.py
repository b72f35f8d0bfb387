"""Builds toy nodes in the process of the test, and reads what came of them."""

from __future__ import annotations

from collections.abc import Callable

from overopt.execution.executors.local import InlineExecutor
from overopt.execution.node import Node
from overopt.execution.outcomes import Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store

from . import toy_stages
from .toys import once

Log = Callable[[], list[str]]


def build(store: Store, *wanted: Node) -> list[Outcome]:
    """Build nodes in this process."""
    [result] = execute([once(wanted)], store, InlineExecutor(store))
    assert result.value is not None, result.error
    return result.value


def number(outcome: Outcome) -> int:
    """The number in an outcome's artifact."""
    assert outcome.path is not None
    return toy_stages.read(outcome.path)


def begun(log: Log) -> list[str]:
    """Names of the stages that began."""
    return [line.split()[1] for line in log() if line.startswith("begin")]
