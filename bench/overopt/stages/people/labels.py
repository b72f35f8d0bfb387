"""Preference labels where people are not all alike, their noise is uneven, or they are flawed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.flaws import pleased
from overopt.artifacts.gold import load_gold
from overopt.artifacts.labeling import prefer_a, score_pairs
from overopt.artifacts.people import opinions, share_out, spoil_by_group
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import Column, read_json, write_json, write_table
from overopt.errors import UserError
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.spec.flaw import FlawSpec
from overopt.spec.labeling import LabelingSpec, UnevenNoiseSpec
from overopt.spec.noise import NoiseSpec
from overopt.worlds.contract import World, world_of
from overopt.worlds.tokens import Tokens

_NO_NOISE = NoiseSpec(kind="flip", amount=0.0)


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Label pairs as the stage ``labels`` does, by who is asked and through what noise there is.

    A label is the opinion of the population that the pair was given to, or gold's, with what a flaw
    adds to it, through the run's noise; clean ones pass no noise. ``flipped`` tells where a label
    contradicts gold, for whatever reason, ``against_own_opinion`` where only noise can have made
    it. With neither people nor flaws, or with a placebo, labels are those of the stage ``labels``.

    ``marks.parquet`` holds what else is known of each label: its annotators, whether it is clean.

    params: ``world``, ``noise``, ``seed``; ``labeling`` (LabelingSpec) and ``flaw`` (FlawSpec)
    where there are.
    """
    world, kind, seed = world_of(params), str(params["world"]["kind"]), int(params["seed"])
    noise = NoiseSpec.model_validate(params["noise"])
    labeling = LabelingSpec.model_validate(params["labeling"]) if "labeling" in params else None
    gold = load_gold(inputs["gold"], world)
    sd = float(read_json(inputs["pool"] / "summary.json")["gold_sd"])
    scored = score_pairs(inputs["pairs"] / "pairs.parquet", world, gold)
    pairs = len(scored.prompt_id_P)
    prompts = world.train_prompts.take(scored.prompt_id_P)
    seen_P = (scored.gold_a_P - scored.gold_b_P) / sd
    marks: dict[str, Column] = {}
    told: dict[str, Any] = {}
    if labeling is not None and labeling.annotators:
        shares = [one.share for one in labeling.annotators]
        part_P = share_out(shares, pairs, numpy_rng(seed, "annotators"))
        of_a, of_b = (world.gold_terms(prompts, side) for side in (scored.a, scored.b))
        terms = {name: (of_a[name] - of_b[name]) / sd for name in of_a}
        seen_P = opinions(terms, labeling.annotators, part_P)
        marks["annotator"] = part_P
        told["annotators"] = [one.name for one in labeling.annotators]
    if "flaw" in params:
        flaw = FlawSpec.model_validate(params["flaw"])
        rng = numpy_rng(int(params["world"]["seed"]), "flaw", flaw.name)
        added_P, of_flaw = pleased(flaw, scored, world, kind, sd, rng)
        seen_P = seen_P + added_P
        told["flaw"] = {"label": flaw.label, **of_flaw}
    own_P = prefer_a(seen_P, _NO_NOISE, numpy_rng(seed, "labels"))
    if labeling is not None and labeling.noise is not None:
        group_P = _groups(labeling.noise, world, kind, prompts)
        rng = numpy_rng(seed, "labels", "uneven")
        first_P = spoil_by_group(own_P, group_P, labeling.noise.factors, noise, rng)
    else:
        first_P = prefer_a(seen_P, noise, numpy_rng(seed, "labels"))
    if labeling is not None and labeling.clean:
        shares = [1 - labeling.clean, labeling.clean]
        clean_P = share_out(shares, pairs, numpy_rng(seed, "clean labels")) == 1
        first_P = np.where(clean_P, own_P, first_P)
        marks["clean"] = clean_P
        told["clean_labels"] = int(clean_P.sum())
    wrong_P = scored.write(out / "labels.parquet", first_P)
    if marks:
        write_table(out / "marks.parquet", marks)
    differs_P = scored.gold_a_P != scored.gold_b_P
    heldout = score_pairs(inputs["pairs"] / "heldout.parquet", world, gold)
    heldout.write(out / "heldout.parquet", heldout.gold_a_P >= heldout.gold_b_P)
    write_json(
        out / "labels.json",
        {
            **told,
            "noise": noise.label,
            "comparisons": pairs,
            "ties_of_gold": int((~differs_P).sum()),
            "realized_flip_rate": float(wrong_P[differs_P].mean()) if differs_P.any() else None,
            "against_own_opinion": float((first_P != own_P).mean()),
        },
    )


def _groups(
    uneven: UnevenNoiseSpec, world: World, kind: str, prompts: Tokens
) -> np.ndarray[Any, np.dtype[np.int64]]:
    kinds = load("worlds", f"{kind}.{uneven.by}")
    if len(uneven.factors) != kinds.CATEGORIES:
        raise UserError(
            f"labels.noise.factors has {len(uneven.factors)} numbers, and prompts of a {kind} world"
            f" have {kinds.CATEGORIES} {uneven.by}; give one factor for each."
        )
    group_P: np.ndarray[Any, np.dtype[np.int64]] = kinds.categorize(world, prompts)
    return group_P
