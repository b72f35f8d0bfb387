"""Preference data in which gold labels, without noise, the pairs that a system chooses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts import pair_tags
from overopt.artifacts.gold import load_gold
from overopt.artifacts.labeling import ScoredPairs, prefer_a, score_pairs
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.members import OpenedMembers
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress, part
from overopt.models.policy import load_policy
from overopt.models.rewards.probing import fit_head, read_states
from overopt.proxies.contract.labels import PairTags
from overopt.spec.noise import NoiseSpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import world_of

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Replace labels of the ``labels`` input by gold's on the pairs that ``route`` chooses.

    What gold labels are worth is tried on the held-out pairs, half of which train a head on the
    initial policy's frozen states, with gold's labels on a random part and noisy ones on the rest,
    and half of which, labeled by gold, tell its accuracy. Where gold holds both sides equal, the
    label stays. What is written is read like any preference data.

    params: ``world``, ``system`` (ProxySystemSpec), ``noise`` of the labels that there are,
    ``seed``, ``categories``: whether prompts of this world have any.
    """
    world = world_of(params)
    system = ProxySystemSpec.model_validate(params["system"])
    opened = open_as(OpenedMembers, locate_own(system, inputs))
    rng = numpy_rng(int(params["seed"]), "routed labels")
    gold = load_gold(inputs["gold"], world)
    policy = load_policy(inputs["initial"] / "model")
    labeled, tried = (
        score_pairs(inputs["labels"] / f"{name}.parquet", world, gold)
        for name in ("labels", "heldout")
    )
    both = [
        pair_tags.Pairs(world.train_prompts.take(one.prompt_id_P), one.a, one.b)
        for one in (labeled, tried)
    ]
    measured = [pair_tags.measure(pairs, policy) for pairs in both]
    kinds = (
        load("worlds", f"{params['world']['kind']}.categories") if params["categories"] else None
    )
    tag_PF, tried_HF = (
        pair_tags.tags(numbers, measured[0], pair_tags.categories(kinds, world, pairs.prompts))
        for numbers, pairs in zip(measured, both, strict=True)
    )
    sd = float(read_json(inputs["pool"] / "summary.json")["gold_sd"])
    difference_H = (tried.gold_a_P - tried.gold_b_P) / sd
    noise = NoiseSpec.model_validate(params["noise"])
    state_HD = read_states(policy, both[1].prompts, tried.a)
    state_HD = state_HD - read_states(policy, both[1].prompts, tried.b)
    told = part(progress, 0.3, 0.9)
    counts, scores = [], []
    trials = int(system.config["trials"])
    for trial in range(trials):
        mask_H = rng.random(len(difference_H)) < rng.random()
        cheap_H = prefer_a(difference_H, noise, rng)
        learn = len(difference_H) // 2
        counts.append(tried_HF[:learn][mask_H[:learn]].sum(axis=0))
        first_H = np.where(mask_H & (difference_H != 0), difference_H > 0, cheap_H)
        scores.append(try_labels(state_HD, difference_H, first_H))
        told((trial + 1) / trials, f"trial {trial + 1}")
    features = PairTags(tag_PF, np.array(counts, dtype=np.float64), np.array(scores))
    budget = round(float(system.config["budget"]) * len(tag_PF))
    _write(inputs["labels"], out, labeled, opened.route(features, budget), len(difference_H))


def try_labels(state_HD: Floats, difference_H: Floats, first_H: Flags) -> float:
    """Accuracy on the second half of pairs of a head that the first half has taught, 0 to 1.

    Args:
        state_HD: states of the first response less those of the second.
        difference_H: gold of the first less that of the second; equal ones do not count.
        first_H: whether the label says that the first is better.
    """
    learn = len(difference_H) // 2
    sign_H1 = np.where(first_H, 1.0, -1.0)[:, None]
    head_D = fit_head((state_HD * sign_H1)[:learn])
    margin_V, truth_V = state_HD[learn:] @ head_D, difference_H[learn:]
    right_V = (margin_V > 0) == (truth_V > 0)
    return float(right_V[truth_V != 0].mean()) if truth_V.any() else 0.5


def _write(labels: Path, out: Path, labeled: ScoredPairs, mask_P: Flags, tried: int) -> None:
    first_P = Table(labels / "labels.parquet").integers("a_preferred").astype(bool)
    differs_P = labeled.gold_a_P != labeled.gold_b_P
    first_P = np.where(mask_P & differs_P, labeled.gold_a_P > labeled.gold_b_P, first_P)
    wrong_P = labeled.write(out / "labels.parquet", first_P)
    shutil.copyfile(labels / "heldout.parquet", out / "heldout.parquet")
    record = read_json(labels / "labels.json")
    record["realized_flip_rate"] = float(wrong_P[differs_P].mean()) if differs_P.any() else None
    record["gold_labels"], record["gold_labels_of_trials"] = int(mask_P.sum()), tried
    write_json(out / "labels.json", record)
