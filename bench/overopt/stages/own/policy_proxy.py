"""A proxy that is a policy: the last one of a run, beside the reference it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.normalization import write_normalization
from overopt.artifacts.policy_proxy import PolicyScorer
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import read_json, write_json
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy, save_model
from overopt.models.rewards.ratio import PolicyPair
from overopt.worlds.contract import lexicon, world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Copy both policies, and normalize the scores that the system makes of them.

    Both are copied, so that no policy in training ever shares their weights.

    params: ``world``, ``proxy``, ``system`` (ProxySystemSpec), ``member``.
    """
    world = world_of(params)
    trained = read_json(inputs["optimize"] / "optimize.json")["snapshots"][-1]
    policy = load_policy(inputs["optimize"] / trained["folder"])
    reference = load_policy(inputs["reference"] / "model")
    save_model(policy, out / "model", lexicon(world))
    save_model(reference, out / "reference", lexicon(world))
    models = PolicyPair(policy, reference)
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    progress(0.5, "scores of the initial policy's responses")
    scorer = PolicyScorer(params["system"], inputs, world)
    score_2P = [
        scorer.score(models, heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)
    ]
    write_normalization(out, np.concatenate(score_2P))
    margin_P = score_2P[0] - score_2P[1]
    accuracy = float(((margin_P > 0) + 0.5 * (margin_P == 0)).mean())
    write_json(out / "training.json", {"steps": int(trained["step"]), "heldout_accuracy": accuracy})
