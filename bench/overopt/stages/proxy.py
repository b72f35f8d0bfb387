"""One proxy: a Bradley-Terry reward model trained on the preference data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedModel

from overopt.models.fitting import Preferences, train_bradley_terry
from overopt.models.folders import save_model
from overopt.models.hub import load_base, open_reader
from overopt.models.reward import build_reward, load_reward, score
from overopt.origins import ModelOrigin, ReaderOrigin
from overopt.spec import ProxySpec, WorldSpec
from overopt.stages.contract import Progress, part
from overopt.stages.initial import context_tokens
from overopt.stages.labels import load_preferences
from overopt.stages.randomness import derived_seed, numpy_rng
from overopt.stages.tables import read_json, write_json
from overopt.worlds.contract import World, build, lexicon
from overopt.worlds.hub import HubWorld
from overopt.worlds.hub_folders import open_model
from overopt.worlds.tokens import Tokens


class Member:
    """A trained proxy whose scores are recentered and scaled under the initial policy.

    world: needed by proxies that read text through a tokenizer of their own.
    """

    def __init__(self, folder: Path, world: World) -> None:
        self.model = load_reward(folder / "model")
        self._reader = open_own_reader(folder, world)
        scale = read_json(folder / "normalization.json")
        self.mean, self.sd = float(scale["mean"]), float(scale["sd"])

    def score(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        prompts, responses = self._reader(prompts, responses)
        return (score(self.model, prompts, responses) - self.mean) / self.sd


Reading = Callable[[Tokens, Tokens], tuple[Tokens, Tokens]]
"""Prompts and responses in the tokens that a proxy reads."""


def _as_they_are(prompts: Tokens, responses: Tokens) -> tuple[Tokens, Tokens]:
    return prompts, responses


def open_own_reader(folder: Path, world: World) -> Reading:
    """How a proxy reads: the policy's tokens as they are, or text through its own tokenizer."""
    if not (folder / "reader.json").is_file():
        return _as_they_are
    assert isinstance(world, HubWorld)
    origin = ReaderOrigin.model_validate(read_json(folder / "reader.json"))
    return open_reader(world, origin, "proxy base").read


def _read(preferences: Preferences, reading: Reading) -> Preferences:
    """Both sides of the comparisons as the proxy reads them."""
    prompts, chosen = reading(preferences.prompts, preferences.chosen)
    return Preferences(prompts, chosen, reading(preferences.prompts, preferences.rejected)[1])


def _start(
    spec: ProxySpec, world: World, policy: Path, seed: int
) -> tuple[PreTrainedModel, Path | tuple[str, ...]]:
    """The untrained proxy, and the tokenizer that belongs to it.

    policy: folder of the initial policy, where a proxy starts that names no other base.
    """
    if spec.architecture is not None:
        model = build_reward(
            spec.architecture,
            vocabulary_size=len(world.vocabulary),
            context_tokens=context_tokens(world),
            seed=seed,
        )
        if isinstance(world, HubWorld):
            model.config.pad_token_id = None  # no id of a tokenizer's is filler only
        return model, lexicon(world)
    if spec.base is not None:
        return (
            load_base(spec.base, "proxy base", seed),
            open_model(spec.base, "proxy base", "any").path,
        )
    return load_base(ModelOrigin(path=str(policy)), "policy", seed), lexicon(world)


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train one member: same data for every member, another seed for weights and batches.

    The mean and SD that normalize its scores come from responses of the initial policy to
    training prompts that it was not trained on.
    """
    world = build(WorldSpec.model_validate(params["world"]))
    spec = ProxySpec.model_validate(params["proxy"])
    seed, member = int(params["seed"]), int(params["member"])
    labeled = load_preferences(inputs["labels"], world)
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    policy = inputs["initial"] / "model" if "initial" in inputs else out
    model, tokenizer = _start(spec, world, policy, derived_seed(seed, "proxy", member, "weights"))
    if spec.base is not None:
        write_json(out / "reader.json", spec.base.model_dump(mode="json"))
    reading = open_own_reader(out, world)
    heldout = _read(heldout, reading)
    training = train_bradley_terry(
        model,
        _read(labeled.preferences, reading),
        heldout,
        spec.training,
        numpy_rng(seed, "proxy", member, "batches"),
        part(progress, 0, 0.9),
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
