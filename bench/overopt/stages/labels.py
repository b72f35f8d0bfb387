"""Preference labels: the gold's opinion on each pair, through label noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.gold import load_gold
from overopt.artifacts.labeling import prefer_a, score_pairs
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.execution.contract import Progress
from overopt.spec.noise import NoiseSpec
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Score both responses of each pair by gold, label them, and record the realized flip rate.

    Held-out pairs get noiseless labels, so that a proxy's accuracy is about the gold. Where the
    data's own preference stands, it takes the place of the gold's opinion (as a difference of one
    SD), noise comes on top, and ``flipped`` still tells where it contradicts the gold.
    """
    world = world_of(params)
    gold = load_gold(inputs["gold"], world)
    sd = float(read_json(inputs["pool"] / "summary.json")["gold_sd"])
    noise = NoiseSpec.model_validate(params["noise"])
    rng = numpy_rng(int(params["seed"]), "labels")
    scored = score_pairs(inputs["pairs"] / "pairs.parquet", world, gold)
    difference_P = (scored.gold_a_P - scored.gold_b_P) / sd
    if params["preference"] == "data":
        prefers_a_P = Table(inputs["pairs"] / "pairs.parquet").integers("data_prefers_a")
        difference_P = np.where(prefers_a_P == 1, 1.0, -1.0)
    first_P = prefer_a(difference_P, noise, rng)
    wrong_P = scored.write(out / "labels.parquet", first_P)
    differs_P = scored.gold_a_P != scored.gold_b_P
    heldout = score_pairs(inputs["pairs"] / "heldout.parquet", world, gold)
    heldout.write(out / "heldout.parquet", heldout.gold_a_P >= heldout.gold_b_P)
    write_json(
        out / "labels.json",
        {
            "noise": noise.label,
            "comparisons": len(first_P),
            "ties_of_gold": int((~differs_P).sum()),
            "realized_flip_rate": float(wrong_P[differs_P].mean()) if differs_P.any() else None,
        },
    )
