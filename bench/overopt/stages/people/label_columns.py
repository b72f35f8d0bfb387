"""What labels say beside the preference, where some of them are clean or their noise is uneven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.label_columns import write_columns
from overopt.artifacts.people import spoil_by_group
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import Column, Table, read_json
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.spec.labeling import LabelingSpec, UnevenNoiseSpec
from overopt.spec.noise import NoiseSpec
from overopt.stages.own import label_columns
from overopt.worlds.contract import world_of

_NO_NOISE = NoiseSpec(kind="flip", amount=0.0)
_TERM, _OUTCOME = "term:", "outcome:"

Answers = dict[str, npt.NDArray[Any]]
"""Columns (P,) of the pairs by name."""


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write the columns of ``own.label_columns``, through the noise that strikes the labels.

    Terms, ratings and outcomes of a pair whose label is clean pass no noise. Where noise differs by
    group of prompts, each term and outcome has in each group the rate that labels have there; which
    pairs it strikes is drawn for each on its own.

    inputs: those of ``own.label_columns``, and ``marked``, the labels as they were made.
    params: those of ``own.label_columns``; ``labeling`` (LabelingSpec) with what is not even.
    """
    labeling = LabelingSpec.model_validate(params["labeling"])
    asked = set(params["columns"])
    # a rating changes over where the term is turned
    told = {**params, "columns": sorted(asked | ({"terms"} if "ratings" in asked else set()))}
    own = _columns({**told, "noise": _NO_NOISE.to_json()}, inputs, out, progress)
    questions = [name for name in own if name.startswith((_TERM, _OUTCOME))]
    if labeling.noise is None:
        noisy = _columns(told, inputs, out, progress)
        turned = {name: noisy[name] != own[name] for name in questions}
    else:
        turned = _turned_by_group(own, questions, labeling.noise, params, inputs)
    if labeling.clean:
        clean_P = Table(inputs["marked"] / "marks.parquet").integers("clean") == 1
        turned = {name: turned_P & ~clean_P for name, turned_P in turned.items()}
    sizes = read_json(out / "columns.json")["sizes"]
    columns: dict[str, Column] = dict(own)
    for name, turned_P in turned.items():
        if name.startswith(_OUTCOME):
            columns[name] = np.where(turned_P, 1 - own[name], own[name])
            continue
        columns[name] = np.where(turned_P, -own[name], own[name])
        of_a, of_b = (f"rating_{side}:{name.removeprefix(_TERM)}" for side in "ab")
        if of_a in own:
            swapped_P = turned_P & (own[name] != 0)
            columns[of_a] = np.where(swapped_P, own[of_b], own[of_a])
            columns[of_b] = np.where(swapped_P, own[of_a], own[of_b])
    if "terms" not in asked:
        columns = {name: kept for name, kept in columns.items() if not name.startswith(_TERM)}
        sizes.pop("terms", None)
    write_columns(out, columns, sizes)


def _columns(
    params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress
) -> Answers:
    """What ``own.label_columns`` makes of these parameters, which it leaves in the folder."""
    label_columns.run(params, inputs, out, progress)
    table = Table(out / "columns.parquet")
    return {
        name: table.floats(name) if name.startswith(("rating_", "strength")) else
        table.integers(name)
        for name in table.columns
    }  # fmt: skip


def _turned_by_group(
    own: Answers,
    questions: list[str],
    uneven: UnevenNoiseSpec,
    params: dict[str, Any],
    inputs: dict[str, Path],
) -> dict[str, npt.NDArray[np.bool_]]:
    """Which answers, (P,), noise turns; by the name of the column."""
    world = world_of(params)
    prompt_id_P = Table(inputs["labels"] / "labels.parquet").integers("prompt_id")
    groups = load("worlds", f"{params['world']['kind']}.{uneven.by}")
    group_P = groups.categorize(world, world.train_prompts.take(prompt_id_P))
    noise = NoiseSpec.model_validate(params["noise"])
    turned = {}
    for name in questions:
        first_P = own[name] > 0
        use, _, what = name.partition(":")
        rng = numpy_rng(int(params["seed"]), f"{use} labels", what, "uneven")
        turned[name] = spoil_by_group(first_P, group_P, uneven.factors, noise, rng) != first_P
    return turned
