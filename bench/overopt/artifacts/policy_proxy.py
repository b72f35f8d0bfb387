"""Opens a proxy that is a policy, scored against its reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import read_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.policies import OpenedPolicies
from overopt.models.policy import load_policy
from overopt.models.rewards.ratio import PolicyPair
from overopt.models.rewards.reward import score
from overopt.models.sequences import Batch
from overopt.proxies.contract.policies import PolicyReading
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


def open_system(system: Mapping[str, object], inputs: Mapping[str, Path]) -> OpenedPolicies:
    """The mathematics of a system, by the JSON of its specification."""
    spec = locate_own(ProxySystemSpec.model_validate(system), inputs)
    return open_as(OpenedPolicies, spec)


def score_raw(
    opened: OpenedPolicies, models: PolicyPair, prompts: Tokens, responses: Tokens
) -> npt.NDArray[np.float64]:
    """Raw reward (N,) of each response to its prompt, in the system's own units."""

    def read(pair: PolicyPair, batch: Batch) -> Tensor:
        return opened.score(PolicyReading(*pair.read(batch)))

    return score(models, prompts, responses, read=read)


class PolicyMember:
    """A policy whose scores are recentered and scaled under the initial policy."""

    def __init__(self, folder: Path, opened: OpenedPolicies) -> None:
        self._opened = opened
        self.models = PolicyPair(load_policy(folder / "model"), load_policy(folder / "reference"))
        scale = read_json(folder / "normalization.json")
        self.mean, self.sd = float(scale["mean"]), float(scale["sd"])

    def score(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        return (score_raw(self._opened, self.models, prompts, responses) - self.mean) / self.sd


def open_member(
    folder: Path, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
) -> PolicyMember:
    """A trained proxy of a system, by the JSON of its specification."""
    return PolicyMember(folder, open_system(system, inputs))
