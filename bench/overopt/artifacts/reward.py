"""Opens trained proxies, and combines their scores into the reward of a system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import read_json
from overopt.execution.modules import load_module
from overopt.models.hub import open_reader
from overopt.models.reward import load_reward, score
from overopt.spec.method import ProxySystemSpec
from overopt.spec.origins import ReaderOrigin
from overopt.worlds.contract import World
from overopt.worlds.hub.world import HubWorld
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]


class SystemReward:
    """Reward of a response to its prompt: the system's combination of its members' scores."""

    def __init__(self, inputs: dict[str, Path], spec: ProxySystemSpec, world: World) -> None:
        self._system = System(locate_own(spec, inputs))
        self._members = [Member(inputs[f"proxy.{m}"], world) for m in range(spec.members)]

    def __call__(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Reward (N,), in SDs of the initial policy."""
        scores = [member.score(prompts, responses) for member in self._members]
        return self._system.combine(np.stack(scores))


class System:
    """A reward-side system: combines its members' scores by its own mathematics."""

    def __init__(self, spec: ProxySystemSpec) -> None:
        module = load_module(spec.source)
        self._config = module.Config(**spec.config)
        self._combine = module.combine
        self.members = spec.members

    def combine(self, score_MN: Floats) -> Floats:
        """Reward (N,) from the members' scores (M, N). NaN raises FloatingPointError."""
        reward_N = np.asarray(self._combine(self._config, score_MN), dtype=np.float64)
        if reward_N.shape != score_MN.shape[1:] or not np.isfinite(reward_N).all():
            raise FloatingPointError("the proxy's reward is not one finite number per response")
        return reward_N


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
