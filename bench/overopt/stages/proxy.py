"""One proxy: a Bradley-Terry reward model trained on the preference data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.models.fitting import train_bradley_terry
from overopt.models.folders import save_model
from overopt.models.reward import build_reward, load_reward, score
from overopt.spec import ProxySpec, WorldSpec
from overopt.stages.contract import Progress, part
from overopt.stages.gold import summarise
from overopt.stages.initial import context_tokens
from overopt.stages.labels import load_preferences
from overopt.stages.randomness import derived_seed, numpy_rng
from overopt.stages.tables import read_json, write_json
from overopt.worlds.contract import build
from overopt.worlds.tokens import Tokens


class Member:
    """A trained proxy whose scores are recentred and scaled under the initial policy."""

    def __init__(self, folder: Path) -> None:
        self.model = load_reward(folder / "model")
        scale = read_json(folder / "normalisation.json")
        self.mean, self.sd = float(scale["mean"]), float(scale["sd"])

    def score(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        return (score(self.model, prompts, responses) - self.mean) / self.sd


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train one member: same data for every member, another seed for weights and batches.

    The mean and SD that normalise its scores come from responses of the initial policy to
    training prompts that it was not trained on.
    """
    world = build(WorldSpec.model_validate(params["world"]))
    spec = ProxySpec.model_validate(params["proxy"])
    seed, member = int(params["seed"]), int(params["member"])
    labelled = load_preferences(inputs["labels"], world)
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    model = build_reward(
        spec.architecture,
        vocabulary_size=len(world.vocabulary),
        context_tokens=context_tokens(world),
        seed=derived_seed(seed, "proxy", member, "weights"),
    )
    training = train_bradley_terry(
        model,
        labelled.preferences,
        heldout,
        spec.training,
        numpy_rng(seed, "proxy", member, "batches"),
        part(progress, 0, 0.9),
    )
    save_model(model, out / "model", world.vocabulary)
    score_N = np.concatenate(
        [score(model, heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)]
    )
    sd = float(score_N.std(ddof=1))
    if not sd > 0:
        raise ValueError("the proxy gives every response of the initial policy the same score")
    write_json(out / "normalisation.json", {"mean": float(score_N.mean()), "sd": sd})
    write_json(out / "training.json", summarise(training))
