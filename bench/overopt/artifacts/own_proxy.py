"""Opens a trained proxy that only its system's file can read: one with a head of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.proxy import open_own_reader
from overopt.artifacts.tables import read_json, write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.members import OpenedMembers
from overopt.models.policy import load_policy
from overopt.models.rewards.headed import HeadedReward, headed_rewards, load_head, save_head
from overopt.models.rewards.reward import load_reward, score
from overopt.proxies.contract.heads import HeadShape
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


class HeadedMember:
    """A trained proxy with its own head, whose scores are recentered and scaled as any other's."""

    def __init__(self, folder: Path, world: World, opened: OpenedMembers) -> None:
        record = read_json(folder / "head.json")
        load_trunk = load_policy if record["language"] else load_reward
        head = opened.make_head(HeadShape(**record["shape"]), seed=0)
        load_head(head, folder / "model")
        self.model = HeadedReward(load_trunk(folder / "model"), head).eval()
        self._reader = open_own_reader(folder, world)
        scale = read_json(folder / "normalization.json")
        self.mean, self.sd = float(scale["mean"]), float(scale["sd"])

    def score(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        prompts, responses = self._reader(prompts, responses)
        raw_N = score(self.model, prompts, responses, read=headed_rewards)
        return (raw_N - self.mean) / self.sd


def write_head(out: Path, model: HeadedReward, shape: HeadShape, language: bool) -> None:
    """Write the head beside the trunk, which is written already."""
    save_head(model.head, out / "model")
    described = {"width": shape.width, "labels": dict(shape.labels)}
    write_json(out / "head.json", {"shape": described, "language": language})


def open_member(
    folder: Path, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
) -> HeadedMember:
    """A trained proxy of a system, by the JSON of its specification."""
    spec = locate_own(ProxySystemSpec.model_validate(system), inputs)
    return HeadedMember(folder, world, open_as(OpenedMembers, spec))
