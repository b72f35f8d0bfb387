"""Whether a submission holds everything that was run: worlds, seeds, budgets, controls, samples.

Nothing here looks at a score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overopt.catalog.toml_files import load_gold, load_task
from overopt.errors import UserError
from overopt.execution.canonical import canonical_json
from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.leaderboard.submission.schema import Submission, SubmittedRun
from overopt.leaderboard.submission.verdict import Finding, found
from overopt.leaderboard.tiers.estimator import estimators_of, own_estimator
from overopt.run.cells import cells_of, in_world
from overopt.spec.run import RATE_FACTORS, RunSpec
from overopt.stats.budgets import is_met

LEAST_SEEDS = 5
LEAST_WORLDS = 3
CONTROL = "bon"
"""The method that every submission runs beside its own: it trains nothing, and so it says at once
whether the submitter's worlds and proxies are those that we build."""

_OF_RUN = ("task", "gold", "method", "engine", "along", "knob")


class Place(NamedTuple):
    """What tells a cell from others of a submission; ``size`` of its proxies and their data."""

    task: str
    world: int
    seed: int
    proxy: str
    noise: str
    size: str

    @property
    def words(self) -> str:
        """All of it but the size."""
        return (
            f"world {self.world} seed {self.seed} of {self.task} against {self.proxy} at noise "
            f"{self.noise}"
        )


def place_in(run: SubmittedRun, cell: Cell) -> Place:
    """A cell among all runs of a submission, which may be of several tasks."""
    size = f"{cell.proxy_start} {cell.proxy_width} {cell.comparisons}"
    return Place(run.spec.task.name, cell.world, cell.seed, cell.proxy, cell.noise, size)


def identity_of(cell: Cell) -> dict[str, Any]:
    """The columns of ``points.csv`` that tell a cell from others of its run."""
    names = ("world", "seed", "proxy", "noise", "proxy_start", "proxy_width", "comparisons")
    return {name: getattr(cell, name) for name in names}


def rows_of(points: pd.DataFrame, cell: Cell) -> list[int]:
    """Rows of ``points.csv``, from 0, that are a cell's."""
    mine = pd.Series(True, index=points.index)
    for name, value in identity_of(cell).items():
        column = points[name]
        mine &= column.isna() if value is None else column == value
    return [int(row) for row in points.index[mine]]


def judge_spec(run: SubmittedRun, where: str) -> Iterator[Finding]:
    """The specification: its hash, the task as it is shipped, seeds and worlds without gaps."""
    spec = run.spec
    stated = hashlib.sha256(canonical_json(spec.to_json()).encode()).hexdigest()
    yield found(
        "T0",
        "specification",
        stated == run.spec_sha256,
        "spec_sha256 is that of the specification"
        if stated == run.spec_sha256
        else "spec_sha256 is not the hash of the specification",
        where,
    )
    yield _judge_task(spec, where)
    for name in ("worlds", "seeds"):
        given = getattr(spec, name)
        # other seeds than the first ones may have been chosen for how they came out
        good = tuple(sorted(given)) == tuple(range(len(given)))
        words = f"{name} {_listed(given)}" + (
            "" if good else f": they must be 0 to {len(given) - 1}, none left out"
        )
        yield found("T0", name, good, words, where)
    factor = spec.methods[0].rate_factor
    good = not spec.tuned or factor in RATE_FACTORS
    listed = ", ".join(f"{one:g}" for one in RATE_FACTORS)
    words = f"a learning rate of {factor:g} times the task's"
    words += "" if good else f" is called tuned; the search that is the same for all tries {listed}"
    yield found("T0", "rates", good, words, where)
    missing = [kl for kl in spec.task.kl_grid_nats if kl not in spec.kl_grid_nats]
    yield found(
        "T0",
        "budgets",
        not missing,
        f"lacks the task's budget of {missing[0]:g} nats" if missing else "all budgets of the task",
        where,
    )


def _judge_task(spec: RunSpec, where: str) -> Finding:
    name = spec.task.name
    try:
        shipped = load_task(name) if "/" not in name and "." not in name else None
    except UserError:
        shipped = None
    if shipped is None:
        return found("T0", "task", False, f"overopt ships no task {name}", where)
    same = in_world(shipped, 0) == in_world(spec.task, 0)
    gold = spec.gold == load_gold(shipped.gold)
    words = f"{name} as it is shipped"
    if not same or not gold:
        words = f"the {'task' if not same else 'gold'} is not {name} as this version ships it"
    return found("T0", "task", same and gold, words, where)


def judge_cells(run: SubmittedRun, where: str) -> Iterator[Finding]:
    """The cells: all that the specification asks for, each once, each with samples."""
    wanted = [
        {
            "world": cell.world,
            "seed": cell.seed,
            "proxy": cell.proxy.name,
            "noise": cell.noise_label,
            "proxy_start": cell.task.proxy.start,
            "proxy_width": cell.task.proxy_width,
            "comparisons": cell.task.proxy.comparisons,
        }
        for cell in cells_of(run.spec)
    ]
    given = [identity_of(cell) for cell in run.cells]
    yield found(
        "T0",
        "cells",
        given == wanted,
        f"{len(given)} cells"
        if given == wanted
        else f"cells must be the {len(wanted)} of the specification in its order; there are "
        f"{len(given)}",
        where,
    )


def judge_rows(run: SubmittedRun, points: pd.DataFrame, where: str) -> Iterator[Finding]:
    """The rows of ``points.csv``: of this run alone, none failed, each budget told once."""
    spec, method = run.spec, run.spec.methods[0]
    expected = {
        "task": spec.task.name,
        "gold": spec.gold.name,
        "method": method.name,
        "engine": spec.engine,
        "along": spec.along if method.retrains else "knob",
        "knob": method.knob.name,
    }
    strange = [name for name in _OF_RUN if (points[name] != expected[name]).any()]
    yield found(
        "T0",
        "columns",
        not strange,
        f"{strange[0]} is not {expected[strange[0]]} in every row" if strange else "of this run",
        where,
    )
    owned: set[int] = set()
    for cell in run.cells:
        rows = rows_of(points, cell)
        owned |= set(rows)
        problem = _problem_of(points.loc[rows], spec, cell)
        if problem:
            yield found("T0", "rows", False, problem, f"{where}, {place_of(cell)}")
    good = owned == set(points.index)
    told = "every row belongs to a cell" if good else "there are rows of no cell"
    yield found("T0", "rows", good, told, where)


def _problem_of(rows: pd.DataFrame, spec: RunSpec, cell: Cell) -> str:
    """What is wrong with the rows of a cell; empty where nothing is."""
    if (rows["status"] == "failed").any() or cell.page is None:
        return "the cell failed or has no samples"
    initial = rows[(rows["status"] == "ok") & (rows["kl_estimator"] == "definition")]
    if len(initial) != 1 or float(initial["kl_nats"].iloc[0]) != 0:
        return "it must have one row of the initial policy, at a KL of 0"
    allowed = estimators_of(spec)
    stated = rows.loc[rows["status"] == "ok", "kl_estimator"]
    strange = sorted({str(name) for name in stated} - {"definition", *allowed})
    if strange:
        return f"kl_estimator is {' or '.join(allowed)} for such a method, not {strange[0]}"
    told = rows["kl_target_nats"].dropna().tolist()
    if sorted(told) != sorted(spec.kl_grid_nats):
        return "every budget must be met or unreached once, and no other"
    met = rows[(rows["status"] == "ok") & rows["kl_target_nats"].notna()]
    for kl_nats, budget_nats in zip(met["kl_nats"], met["kl_target_nats"], strict=True):
        if not is_met(float(kl_nats), float(budget_nats)):
            return f"{kl_nats:.3g} nats do not meet the budget of {budget_nats:g}"
    return ""


def judge_samples(
    run: SubmittedRun, cell: Cell, samples: Samples, points: pd.DataFrame, where: str
) -> Finding:
    """The samples of a cell: of every measured point, as many of every prompt as the task says."""
    rows = points.loc[rows_of(points, cell)]
    measured = [int(row) for row in rows.index[rows["status"] == "ok"]]
    task = run.spec.task
    prompts, each = task.world.heldout_prompts, task.evaluation.samples_per_prompt
    problem = ""
    says_how_likely = own_estimator(run.spec.methods[0]) == "rb"
    if says_how_likely and not len(samples.policy_logp):
        problem = "policy_logp is missing, which a policy of this method has"
    elif len(samples.policy_logp) and not says_how_likely:
        problem = "policy_logp is given, which no policy of this method has"
    elif samples.measured_K.tolist() != measured:
        problem = "measured does not list the measured points in their order"
    elif samples.points != measured[1:]:
        problem = "point does not name the measured points in their order"
    elif samples.prompt_gold_KB.shape[1] != prompts:
        problem = f"there must be {prompts} prompts"
    else:
        wanted = np.arange(prompts * each)
        count = len(measured) - 1
        same = (
            np.array_equal(samples.point, np.repeat(measured[1:], prompts * each))
            and np.array_equal(samples.prompt_id, np.tile(wanted // each, count))
            and np.array_equal(samples.sample_id, np.tile(wanted % each, count))
        )
        if not same:
            problem = f"every point must have {each} samples of each prompt, in order"
    words = problem or f"{len(samples.point)} samples of {len(measured) - 1} points"
    return found("T0", "samples", not problem, words, where)


def judge_whole(submission: Submission) -> Iterator[Finding]:
    """What concerns all runs together: the control, and whether there is enough for a rank."""
    own = [run for run in submission.runs if run.role == "method"]
    names = {run.method for run in submission.runs if run.role == "control"}
    needed = submission.method_name != CONTROL
    strange = sorted(names - {CONTROL})
    problem = f"{strange[0]} is no control; give {CONTROL}" if strange else ""
    if needed and not problem:
        there = {key for run in submission.runs if run.role == "control" for key in _places(run)}
        lacking = sorted({key for run in own for key in _places(run)} - there)
        if lacking:
            problem = f"the control {CONTROL} lacks {lacking[0].words}"
    words = problem or (f"{CONTROL} in all its cells" if needed else "it is the control itself")
    yield found("T0", "control", not problem, words)
    worlds = min(len(run.spec.worlds) for run in own)
    seeds = min(len(run.spec.seeds) for run in own)
    if worlds < LEAST_WORLDS or seeds < LEAST_SEEDS:
        words = (
            f"{worlds} worlds and {seeds} seeds: exploratory, ranks speak of these worlds only "
            f"before {LEAST_WORLDS} worlds of {LEAST_SEEDS} seeds"
        )
        yield Finding("T0", "size", "note", words)
    if any(run.dirty for run in own):
        yield Finding("T0", "checkout", "note", "made by a checkout with changes of its own")


def _places(run: SubmittedRun) -> set[Place]:
    return {place_in(run, cell) for cell in run.cells}


def place_of(cell: Cell) -> str:
    """A cell in words."""
    return f"world {cell.world} seed {cell.seed} {cell.proxy} noise {cell.noise}"


def _listed(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return shown if len(numbers) <= 8 else f"{shown}, ... ({len(numbers)})"
