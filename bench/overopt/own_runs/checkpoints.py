"""Checkpoints measured: ``bench measure --policy``, through the store, so that it resumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.tables import Table, read_json
from overopt.errors import UserError
from overopt.execution.executors.executor import Executor
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store
from overopt.monitors.contract import Look
from overopt.own_runs.checkpoint_request import CheckpointRequest, Plan
from overopt.own_runs.measured import Checkpoints, MeasuredRuns
from overopt.own_runs.names import KLColumn
from overopt.own_scores.words import count
from overopt.stats.arrays import Floats
from overopt.stats.rise_fall import PROMPTS_MIN
from overopt.stats.runs.analysis import analyze_runs
from overopt.stats.runs.gains import RunPoints, Units
from overopt.stats.runs.report import Turn
from overopt.stats.runs.turn import turn_over_prompts

RB = KLColumn("kl_nats", "rb", "response", False, "measured here, at temperature 1")


def measure_checkpoints(
    asked: CheckpointRequest,
    planned: Plan,
    store: Store,
    executor: Executor,
    on_notice: Callable[[Notice], None] | None = None,
) -> MeasuredRuns:
    """Measure every checkpoint, one stage each; a repeated command continues where it stopped.

    Args:
        asked: what is measured.
        planned: its stages (`plan`).
        store: where artifacts lie.
        executor: what builds them, on the same store.
        on_notice: called with everything that happens.

    Raises:
        UserError: the first thing that is wrong; stages that were finished are kept.
        KeyboardInterrupt: finished stages are kept.
    """
    (result,) = execute([_all(planned.nodes)], store, executor, on_notice)
    if result.error is not None:
        raise UserError(result.error)
    assert result.value is not None, "a routine without an error returns a value"
    of_key = dict(zip((made.key for made in planned.nodes), result.value, strict=True))
    read = [_read([of_key[made.key] for made in run]) for run in planned.runs]
    return _analyze(read, asked, planned)


def _all(nodes: Sequence[Node]) -> Generator[Sequence[Node], Mapping[str, Outcome], list[Path]]:
    """The artifacts of all nodes; the first failure speaks for all."""
    outcomes = yield nodes
    paths: list[Path] = []
    for made in nodes:
        outcome = outcomes[made.key]
        if outcome.failure is not None:
            said = outcome.failure.message.rstrip(".")
            raise UserError(
                f"{outcome.failure.title}: {said}; finished checkpoints are kept, and the same "
                "command continues"
            )
        assert outcome.path is not None, "a node without a failure has an artifact"
        paths.append(outcome.path)
    return paths


def _read(paths: Sequence[Path]) -> Checkpoints:
    """What the artifacts of one run say."""
    points = tuple(read_json(path / "point.json") for path in paths)
    prompts = int(points[0]["n_prompts"])

    def stacked(name: str) -> Floats:
        return np.stack(
            [
                Table(path / "samples.parquet").floats(name).reshape(prompts, -1).mean(1)
                for path in paths
            ]
        )

    return Checkpoints(
        points, stacked("proxy"), stacked("gold") if points[0].get("gold") is not None else None
    )


def _analyze(read: Sequence[Checkpoints], asked: CheckpointRequest, planned: Plan) -> MeasuredRuns:
    """Curves and verdict of all runs."""
    runs = []
    for policy, one in zip(asked.policies, read, strict=True):
        gold_K = [math.nan if one.gold_KB is None else float(point["gold"]) for point in one.points]
        run = RunPoints(
            np.array([point["step"] for point in one.points], np.int64),
            np.array([max(float(point["kl_nats"]), 0.0) for point in one.points]),
            np.array([float(point["proxy"]) for point in one.points]),
            np.array(gold_K),
        )
        if not run.kl_K.max() > 0.0:
            raise UserError(
                f"--policy {policy}: every checkpoint is the reference itself (KL 0); give the "
                "model that training started from as --reference"
            )
        runs.append(run)
    first = read[0].points[0]
    units = Units(first.get("proxy_sd"), first.get("gold_sd"))
    gold_SRB = _by_prompt(read, units)
    turn = None
    if len(read) == 1 and gold_SRB:
        turn = _turn(read[0], gold_SRB[0])
        gold_SRB = None
    many = f" of {len(read)} runs" if len(read) > 1 else ""
    notes = [
        f"{count(planned.checkpoints, 'checkpoint')}{many}, {first['n_prompts']} prompts, "
        f"{asked.samples} samples each, temperature 1",
    ]
    report = analyze_runs(runs, units, turn, gold_SRB=gold_SRB)
    return MeasuredRuns(
        report=report,
        kl=RB,
        names=asked.policies,
        proxy=asked.proxy,
        gold=asked.gold,
        notes=tuple(notes),
        advised_steps=(),
        candidates=(),
        proxy_rows=tuple(tuple(run.proxy_K.tolist()) for run in runs),
        gold_rows=tuple(tuple(run.gold_K.tolist()) for run in runs),
        checkpoints=tuple(read),
        looks=tuple(
            tuple(_look(point, gain) for point, gain in zip(one.points, run.proxy_K, strict=True))
            for one, run in zip(read, report.runs, strict=True)
        ),
    )


def _look(point: Mapping[str, Any], gain: float) -> Look:
    """A checkpoint as monitors see it."""
    return Look(
        step=int(point["step"]),
        kl_nats=float(point["kl_nats"]),
        length=float(point["length_mean"]),
        entropy_nats=float(point["entropy_nats"]),
        reward=float(gain),
    )


def _by_prompt(read: Sequence[Checkpoints], units: Units) -> list[Floats] | None:
    """Gold of each run above the initial policy's own samples, prompt by prompt, in SDs.

    None without gold, or where there are too few prompts to split.
    """
    gains = [
        (one.gold_KB - one.gold_KB[:1]) / (units.gold_sd or 1.0)
        for one in read
        if one.gold_KB is not None and one.gold_KB.shape[1] >= PROMPTS_MIN
    ]
    return gains if len(gains) == len(read) else None


def _turn(one: Checkpoints, gain_KB: Floats) -> Turn:
    """Peak and end of a single run, over its prompts."""
    step_K = [int(point["step"]) for point in one.points[1:]]
    kl_K = np.array([float(point["kl_nats"]) for point in one.points[1:]])
    return turn_over_prompts(step_K, kl_K, gain_KB[1:])
