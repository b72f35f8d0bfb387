"""One proxy: a reward model trained on the preference data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.normalization import write_normalization
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import open_own_reader, read_pairs
from overopt.artifacts.randomness import derived_seed, numpy_rng
from overopt.artifacts.tables import write_json
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress, part
from overopt.models.folders import save_model
from overopt.models.rewards.reward import score
from overopt.models.rewards.reward_fitting import bradley_terry_loss, train_reward
from overopt.spec.origins import ModelOrigin
from overopt.spec.proxy import ProxySpec
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train one member: same data for every member, another seed for weights and batches.

    params: ``system`` (ProxySystemSpec) where it has a loss of its own; else Bradley-Terry.

    The mean and SD that normalize its scores come from held-out pairs: responses of the initial
    policy to training prompts or, where a hub world's pairs are those of its data, of the data.
    """
    world = world_of(params)
    spec = ProxySpec.model_validate(params["proxy"])
    seed, member = int(params["seed"]), int(params["member"])
    labeled = load_preferences(inputs["labels"], world)
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    policy = inputs["initial"] / "model" if "initial" in inputs else out
    origin = spec.architecture or spec.base or ModelOrigin(path=str(policy))
    model, tokenizer = load("models.starts", spec.start).start_reward(
        origin, world, derived_seed(seed, "proxy", member, "weights")
    )
    if spec.base is not None:
        write_json(out / "reader.json", spec.base.model_dump(mode="json"))
    reading = open_own_reader(out, world)
    heldout = read_pairs(heldout, reading)
    loss = bradley_terry_loss
    if "system" in params:
        loss = load("artifacts", "proxy_loss").open_loss(inputs, params["system"])
    training = train_reward(
        model,
        read_pairs(labeled.preferences, reading),
        heldout,
        spec.training,
        numpy_rng(seed, "proxy", member, "batches"),
        part(progress, 0, 0.9),
        loss,
    )
    save_model(model, out / "model", tokenizer)
    score_N = np.concatenate(
        [score(model, heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)]
    )
    write_normalization(out, score_N)
    write_json(out / "training.json", training.summary())
