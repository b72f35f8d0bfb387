"""Scores of one proxy on the samples of an artifact, shared by all systems that use the proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.spec import WorldSpec
from overopt.stages.contract import Progress
from overopt.stages.proxy import Member
from overopt.stages.tables import Table, write_table
from overopt.worlds.contract import build

_ROW_KEYS = ("step", "prompt_id", "sample_id")


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Score every row of the ``samples`` input; rows keep their identifiers beside the score."""
    world = build(WorldSpec.model_validate(params["world"]))
    table = Table(inputs["samples"] / "samples.parquet")
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    score_N = Member(inputs["proxy"]).score(prompts, table.tokens("response"))
    identifiers = {key: table.integers(key) for key in _ROW_KEYS if key in table.columns}
    write_table(out / "scores.parquet", {**identifiers, "score": score_N})


def aligned_scores(folder: Path, samples: Table) -> npt.NDArray[np.float64]:
    """The scores (N,) in the order of ``samples``, aligned by identifiers, never by position.

    Raises:
        ValueError: the scores are not those of the samples.
    """
    table = Table(folder / "scores.parquet")
    keys = [key for key in _ROW_KEYS if key in samples.columns]
    theirs = np.stack([table.integers(key) for key in keys])
    ours = np.stack([samples.integers(key) for key in keys])
    theirs_order, ours_order = np.lexsort(theirs), np.lexsort(ours)
    if theirs.shape != ours.shape or (theirs[:, theirs_order] != ours[:, ours_order]).any():
        raise ValueError(f"{folder.name}: the scores belong to other samples")
    score_N = np.empty(len(samples), dtype=np.float64)
    score_N[ours_order] = table.floats("score")[theirs_order]
    return score_N
