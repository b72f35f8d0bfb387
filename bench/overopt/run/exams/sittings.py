"""Which cells of a request are examined."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.run.cells import cells_of
from overopt.run.exams.carry import Sitting
from overopt.run.exams.nodes import exams
from overopt.run.graph import Graph
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec


def sittings_of(runs: Sequence[RunSpec], asked: ExamSpec) -> list[Sitting]:
    """Every cell of the runs with the nodes of its exams.

    Raises:
        UserError: a world has no exam.
    """
    return [
        Sitting(number, cell, exams(Graph(cell), asked))
        for number, run in enumerate(runs)
        for cell in cells_of(run)
    ]
