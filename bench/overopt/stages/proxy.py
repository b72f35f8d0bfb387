"""One proxy: a reward model trained on the preference data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import Retokenizer, open_own_reader
from overopt.artifacts.randomness import derived_seed, numpy_rng
from overopt.artifacts.tables import write_json
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress, part
from overopt.models.folders import save_model
from overopt.models.reward import score
from overopt.models.reward_fitting import bradley_terry_loss, train_reward
from overopt.spec.origins import ModelOrigin
from overopt.spec.proxy import ProxySpec
from overopt.worlds.contract import world_of
from overopt.worlds.preferences import Preferences


def _read(preferences: Preferences, reading: Retokenizer) -> Preferences:
    """Both sides of the comparisons as the proxy reads them."""
    prompts, chosen = reading(preferences.prompts, preferences.chosen)
    return Preferences(prompts, chosen, reading(preferences.prompts, preferences.rejected)[1])


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train one member: same data for every member, another seed for weights and batches.

    params: ``system`` (ProxySystemSpec) where it has a loss of its own; else Bradley-Terry.

    The mean and SD that normalize its scores come from responses of the initial policy to
    training prompts that it was not trained on.
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
    heldout = _read(heldout, reading)
    loss = bradley_terry_loss
    if "system" in params:
        loss = load("artifacts", "proxy_loss").open_loss(inputs, params["system"])
    training = train_reward(
        model,
        _read(labeled.preferences, reading),
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
    sd = float(score_N.std(ddof=1))
    if not sd > 0:
        raise ValueError("the proxy gives every response of the initial policy the same score")
    write_json(out / "normalization.json", {"mean": float(score_N.mean()), "sd": sd})
    write_json(out / "training.json", training.summary())
