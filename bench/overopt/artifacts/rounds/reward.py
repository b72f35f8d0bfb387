"""The reward of a run whose proxies are those of several rounds of relabeling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.reward import SystemReward
from overopt.engines.contract import MemberRewards, RunInputs
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


class MeanReward:
    """A system's combination of its members' scores, each the mean over rounds.

    Args:
        rounds: scores (K, N) of every round's members, in SDs of the initial policy.
        system: combines the K members.
    """

    def __init__(self, rounds: Sequence[MemberRewards], system: OpenedProxy) -> None:
        self._rounds, self._system = rounds, system

    def members(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Score of each member, (K, N)."""
        score_RKN = np.stack([one(prompts, responses) for one in self._rounds])
        return np.asarray(score_RKN.mean(axis=0), np.float64)

    def __call__(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Reward (N,), in SDs of the initial policy."""
        return self._system.combine(self.members(prompts, responses))


def over_rounds(
    given: RunInputs, inputs: Mapping[str, Path], params: Mapping[str, Any], world: World
) -> RunInputs:
    """What a run is given, its reward taken over so many rounds before as ``earlier`` says.

    Args:
        given: as for a run against the proxies of its own round.
        inputs: ``round.<j>.proxy.<m>`` of each earlier round j, from 1.
        params: of the stage.
        world: of the run.
    """
    if given.member_rewards is None:
        raise ValueError("the method has no reward that could be one of several rounds")
    spec = ProxySystemSpec.model_validate(params["system"])
    rounds: list[MemberRewards] = []
    for number in range(1, int(params["earlier"]) + 1):
        roles = {
            f"proxy.{member}": inputs[f"round.{number}.proxy.{member}"]
            for member in range(spec.scored)
        }
        rounds.append(SystemReward({**inputs, **roles}, spec, world).members)
    rounds.append(given.member_rewards)
    system = open_as(OpenedProxy, locate_own(spec, dict(inputs)))
    reward = MeanReward(rounds, system)
    return replace(given, reward=reward, member_rewards=reward.members)
