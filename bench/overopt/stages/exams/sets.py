"""The sets of all designs, out of the pool; all proxies of a world sit the same exam."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.points import check_prompt_major
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import Table, write_json, write_table
from overopt.execution.contract import Progress
from overopt.spec.exam import ExamSpec
from overopt.stats.exams.designs import DESIGNS, DIVERSITY, GAP, LINEUPS, Design, Lineup
from overopt.stats.exams.sets import (
    Rows,
    Written,
    diversity,
    draw_design,
    draw_lineup,
    length_gap,
)
from overopt.worlds.tokens import Tokens


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Draw them prompt by prompt, each design by a generator of its own.

    params: ``exam`` (ExamSpec), ``seed`` of the world.

    ``sets.parquet`` holds the sets of each design, counted as in ``sets.json``: a row for each
    response, by its place in the set, the right ones first, and its row in the pool.
    """
    asked, seed = ExamSpec.model_validate(params["exam"]), int(params["seed"])
    prompts = written_of(inputs["pool"])
    columns: dict[str, list[Rows]] = {
        name: [] for name in ("design", "prompt_id", "set_id", "place", "row")
    }
    shown = []
    designs: tuple[Design | Lineup, ...] = (*DESIGNS, *LINEUPS)
    for number, design in enumerate(designs):
        rng = numpy_rng(seed, "exam", design.name)
        drawn = {
            prompt: row_SR
            for prompt, written in enumerate(prompts)
            if (row_SR := _draw(written, design, asked, rng)) is not None
        }
        shown.append(_summary(design, prompts, drawn))
        for prompt, row_SR in drawn.items():
            sets, size = row_SR.shape
            columns["design"].append(np.full(row_SR.size, number))
            columns["prompt_id"].append(np.full(row_SR.size, prompt))
            columns["set_id"].append(np.repeat(np.arange(sets), size))
            columns["place"].append(np.tile(np.arange(size), sets))
            columns["row"].append(row_SR.ravel() + prompt * len(prompts[prompt].gold_N))
        progress((number + 1) / len(designs), design.name)
    none = np.zeros(0, np.int64)
    write_table(
        out / "sets.parquet",
        {name: np.concatenate([none, *parts]) for name, parts in columns.items()},
    )
    write_json(out / "sets.json", {"designs": shown})


def _draw(
    written: Written, design: Design | Lineup, asked: ExamSpec, rng: np.random.Generator
) -> Rows | None:
    if isinstance(design, Lineup):
        return draw_lineup(written, design, asked.sets_per_prompt, asked.strength, rng)
    return draw_design(written, design, asked.sets_per_prompt, asked.strength, rng)


def _summary(
    design: Design | Lineup, prompts: list[Written], drawn: dict[int, Rows]
) -> dict[str, Any]:
    """What a design's sets are like: None where there is no set, or no side."""
    found: dict[str, Any] = {"name": design.name, "prompts": len(drawn), GAP: None}
    several = [row_SR.shape[1] > 1 for row_SR in drawn.values()]
    found[DIVERSITY] = None
    if several:
        found[DIVERSITY] = float(
            np.mean([diversity(prompts[prompt], row_SR) for prompt, row_SR in drawn.items()])
        )
    if drawn and isinstance(design, Design):
        chosen = len(design.chosen)
        gaps = [length_gap(prompts[prompt], row_SR, chosen) for prompt, row_SR in drawn.items()]
        found[GAP] = float(np.mean(gaps))
    return found


def written_of(pool: Path) -> list[Written]:
    """The samples of a pool, prompt by prompt."""
    table = Table(pool / "samples.parquet")
    prompt_id_N = table.integers("prompt_id")
    prompts = int(prompt_id_N.max()) + 1
    check_prompt_major(prompt_id_N, prompts)
    gold_N, logp_N = table.floats("gold"), table.floats("reference_logp")
    responses = table.tokens("response")
    return [
        Written(gold_N[row_N], responses.length_N[row_N].astype(np.float64), logp_N[row_N],
                _present(responses.take(row_N)))
        for row_N in np.split(np.arange(len(table)), prompts)
    ]  # fmt: skip


def _present(responses: Tokens) -> npt.NDArray[np.bool_]:
    """Which of the tokens that occur at all each response has, (N, V)."""
    mask_NT = responses.mask_NT
    known_V, which = np.unique(responses.ids_NT[mask_NT], return_inverse=True)
    present_NV = np.zeros((responses.rows(), len(known_V)), bool)
    present_NV[np.nonzero(mask_NT)[0], which.ravel()] = True
    return present_NV
