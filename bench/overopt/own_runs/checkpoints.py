"""Checkpoints measured: ``bench measure --policy``, through the store, so that it resumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.tables import Table, read_json
from overopt.errors import UserError
from overopt.execution.executor import Executor
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store
from overopt.own_runs.checkpoint_request import CheckpointRequest, Plan
from overopt.own_runs.measured import MeasuredRuns
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
    return _read(result.value, asked, planned)


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


def _read(paths: Sequence[Path], asked: CheckpointRequest, planned: Plan) -> MeasuredRuns:
    """What the artifacts say."""
    points: list[dict[str, Any]] = [read_json(path / "point.json") for path in paths]
    has_gold = asked.gold is not None
    gold_K = [float(one["gold"]) if has_gold else math.nan for one in points]
    run = RunPoints(
        np.array([one["step"] for one in points], np.int64),
        np.array([max(float(one["kl_nats"]), 0.0) for one in points]),
        np.array([float(one["proxy"]) for one in points]),
        np.array(gold_K),
    )
    if not run.kl_K.max() > 0.0:
        raise UserError(
            f"--policy {asked.policy}: every checkpoint is the reference itself (KL 0); give the "
            "model that training started from as --reference"
        )
    units = Units(points[0].get("proxy_sd"), points[0].get("gold_sd"))
    report = analyze_runs([run], units, _turn(paths, points, units) if has_gold else None)
    notes = [
        f"{count(planned.checkpoints, 'checkpoint')}, {points[0]['n_prompts']} prompts, "
        f"{asked.samples} samples each, temperature 1",
    ]
    return MeasuredRuns(
        report=report,
        kl=RB,
        names=(asked.policy,),
        proxy=asked.proxy,
        gold=asked.gold,
        notes=tuple(notes),
        advised_steps=(),
        candidates=(),
        proxy_rows=(tuple(run.proxy_K.tolist()),),
        gold_rows=(tuple(gold_K),),
        measures=tuple(points),
    )


def _turn(paths: Sequence[Path], points: Sequence[dict[str, Any]], units: Units) -> Turn | None:
    """Peak and end over prompts, paired with the initial policy's own samples."""
    prompts = int(points[0]["n_prompts"])
    if prompts < PROMPTS_MIN:
        return None
    gold_KB: Floats = np.stack(
        [
            Table(path / "samples.parquet").floats("gold").reshape(prompts, -1).mean(1)
            for path in paths
        ]
    )
    gain_KB = (gold_KB[1:] - gold_KB[:1]) / (units.gold_sd or 1.0)
    kl_K = np.array([float(one["kl_nats"]) for one in points[1:]])
    return turn_over_prompts([int(one["step"]) for one in points[1:]], kl_K, gain_KB)
