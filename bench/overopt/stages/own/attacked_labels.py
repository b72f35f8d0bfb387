"""Preference data with responses that fool plain reward models, as worse than others."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.gold import load_gold
from overopt.artifacts.labeling import ScoredPairs, score_pairs
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.proxy import Member
from overopt.artifacts.randomness import torch_rng
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.attacks import OpenedAttack
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import world_of
from overopt.worlds.tokens import concatenate


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Add pairs to the ``labels`` input, where the system's ``pick`` says so.

    One response of the adversary and one of the initial policy are drawn to the prompt of each pair
    that there is. Gold is only written beside the new pairs, as beside the others, for reports of
    how many labels contradict it.

    params: ``world``, ``system`` (ProxySystemSpec), ``seed``.
    """
    world = world_of(params)
    spec = ProxySystemSpec.model_validate(params["system"])
    opened = open_as(OpenedAttack, locate_own(spec.attacked, inputs))
    gold = load_gold(inputs["gold"], world)
    old = score_pairs(inputs["labels"] / "labels.parquet", world, gold)
    first_P = Table(inputs["labels"] / "labels.parquet").integers("a_preferred").astype(bool)
    prompts = world.train_prompts.take(old.prompt_id_P)
    last = read_json(inputs["optimized"] / "optimize.json")["snapshots"][-1]
    drawn = [
        sample(
            load_policy(folder),
            prompts,
            1,
            world.response_tokens_max,
            torch_rng(int(params["seed"]), "attacked labels", name),
        ).responses
        for name, folder in (
            ("initial", inputs["initial"] / "model"),
            ("adversary", inputs["optimized"] / last["folder"]),
        )
    ]
    progress(0.5, "scores of the plain reward models")
    members = [Member(inputs[f"proxy.{m}"], world) for m in range(spec.attacked.members)]
    initial_MN, attack_MN = (
        np.stack([member.score(prompts, side) for member in members]) for side in drawn
    )
    taken_Q = np.flatnonzero(opened.pick(attack_MN, initial_MN))
    better, worse = (side.take(taken_Q) for side in drawn)
    asked = prompts.take(taken_Q)
    added = ScoredPairs(
        old.prompt_id_P[taken_Q], better, worse, gold(asked, better), gold(asked, worse)
    )
    both = ScoredPairs(
        np.concatenate([old.prompt_id_P, added.prompt_id_P]),
        concatenate([old.a, added.a]),
        concatenate([old.b, added.b]),
        np.concatenate([old.gold_a_P, added.gold_a_P]),
        np.concatenate([old.gold_b_P, added.gold_b_P]),
    )
    wrong_P = both.write(
        out / "labels.parquet", np.concatenate([first_P, np.ones(len(taken_Q), np.bool_)])
    )
    shutil.copyfile(inputs["labels"] / "heldout.parquet", out / "heldout.parquet")
    record = read_json(inputs["labels"] / "labels.json")
    differs_P = both.gold_a_P != both.gold_b_P
    record["comparisons"], record["ties_of_gold"] = len(wrong_P), int((~differs_P).sum())
    record["realized_flip_rate"] = float(wrong_P[differs_P].mean()) if differs_P.any() else None
    record["adversarial"] = len(taken_Q)
    record["adversarial_that_gold_prefers"] = int(wrong_P[len(first_P) :].sum())
    write_json(out / "labels.json", record)
