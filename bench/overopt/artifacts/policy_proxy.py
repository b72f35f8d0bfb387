"""Opens a proxy that is a policy, scored against its reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import read_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.policies import OpenedPolicies
from overopt.execution.code.modules import load
from overopt.models.policy import load_policy
from overopt.models.rewards.ratio import PairReading, PolicyPair
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


class PolicyScorer:
    """What a system makes of two policies' readings.

    Args:
        system: JSON of its specification.
        inputs: of the stage, among them the user's own file where it is one.
        world: says where steps end, if the system asks.
    """

    def __init__(
        self, system: Mapping[str, object], inputs: Mapping[str, Path], world: World
    ) -> None:
        self._opened = open_system(system, inputs)
        asked = ProxySystemSpec.model_validate(system).inputs
        # loaded by name: worlds without steps are read by the same code
        self._steps = load("worlds", "steps").stepwise(world) if "step_ends" in asked else None

    def read(self, pair: PolicyPair, batch: Batch) -> tuple[Tensor, PairReading]:
        """Raw reward (B,) of joined rows, differentiable, and what the policies say of them."""
        reading = pair.read(batch)
        end_BT = None
        if self._steps is not None:
            end_BT = torch.from_numpy(self._steps.step_ends(_responses(batch)))
            end_BT = end_BT.to(reading.mask_BT.device)
        return self._opened.score(PolicyReading(*reading, end_BT)), reading

    def score(
        self, pair: PolicyPair, prompts: Tokens, responses: Tokens
    ) -> npt.NDArray[np.float64]:
        """Raw reward (N,) of each response to its prompt, in the system's own units."""
        return score(pair, prompts, responses, read=lambda one, batch: self.read(one, batch)[0])


def _responses(batch: Batch) -> Tokens:
    """The responses of joined rows."""
    row_K, column_K = torch.nonzero(batch.mask_BT, as_tuple=True)
    flat = batch.ids_BL[row_K, batch.prompt_length_B[row_K] + column_K]
    return Tokens.from_flat(flat.cpu().numpy(), batch.mask_BT.sum(1).cpu().numpy())


class PolicyMember:
    """A policy whose scores are recentered and scaled under the initial policy."""

    def __init__(self, folder: Path, scorer: PolicyScorer) -> None:
        self._scorer = scorer
        self.models = PolicyPair(load_policy(folder / "model"), load_policy(folder / "reference"))
        scale = read_json(folder / "normalization.json")
        self.mean, self.sd = float(scale["mean"]), float(scale["sd"])

    def score(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        return (self._scorer.score(self.models, prompts, responses) - self.mean) / self.sd


def open_member(
    folder: Path, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
) -> PolicyMember:
    """A trained proxy of a system, by the JSON of its specification."""
    return PolicyMember(folder, PolicyScorer(system, inputs, world))
