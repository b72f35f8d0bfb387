"""The reward that a method optimizes: a system over its trained proxies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.proxy import Member
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.execution.code.modules import load
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


def open_reward(
    inputs: dict[str, Path], system: Mapping[str, object], world: World
) -> SystemReward:
    """The reward of a stage's proxies, by the JSON of the system's specification."""
    return SystemReward(inputs, ProxySystemSpec.model_validate(system), world)


class SystemReward:
    """Reward of a response to its prompt: the system's combination of its members' scores."""

    def __init__(self, inputs: dict[str, Path], spec: ProxySystemSpec, world: World) -> None:
        kind = load("engines", "proxy.attacks").OpenedAttack if spec.attacking else OpenedProxy
        self._system: OpenedProxy = open_as(kind, locate_own(spec, inputs))
        folders = [inputs[f"proxy.{member}"] for member in range(spec.scored)]
        if spec.reader is not None:
            open_member = load("artifacts", spec.reader).open_member
            self._members = [open_member(one, world, spec.to_json(), inputs) for one in folders]
        else:
            self._members = [Member(folder, world) for folder in folders]

    def __call__(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Reward (N,), in SDs of the initial policy."""
        return self._system.combine(self.members(prompts, responses))

    def prefer(self, prompts: Tokens, first: Tokens, second: Tokens) -> npt.NDArray[np.float64]:
        """P(first > second), (N,), mean over members; only of a system that compares responses."""
        chance_MN = [member.comparer.prefer(prompts, first, second) for member in self._members]
        return np.asarray(np.mean(chance_MN, axis=0), np.float64)

    def steps(
        self, prompts: Tokens, responses: Tokens
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Score of each step, (N, T), mean over members, and where steps end, (N, T).

        Only of a system that scores steps.
        """
        read = [member.steps(prompts, responses) for member in self._members]
        return np.mean([score_NT for score_NT, _ in read], axis=0), read[0][1]

    def members(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Score of each member, (K, N), in SDs of the initial policy."""
        return np.stack([member.score(prompts, responses) for member in self._members])
