"""Opens a proxy whose scores are taken against those of frozen responses to the same prompt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.opponents import Opponents
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.proxy import Member
from overopt.artifacts.tables import read_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.anchors import OpenedAnchors
from overopt.models.rewards.reward import score
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]
MEMBER = "member"
"""Folder of the plain proxy within the one that is anchored."""


class Anchored:
    """Raw scores of a plain proxy, and what the system makes of them.

    Scores of frozen responses are kept once they have been read.

    Args:
        folder: holds the plain proxy and the frozen responses.
        system: JSON of the system's specification.
        inputs: of the stage, among them the user's own file where it is one.
        world: of the stage.
    """

    def __init__(
        self,
        folder: Path,
        system: Mapping[str, object],
        inputs: Mapping[str, Path],
        world: World,
    ) -> None:
        spec = locate_own(ProxySystemSpec.model_validate(system), inputs)
        self._opened = open_as(OpenedAnchors, spec)
        self.member = Member(folder / MEMBER, world)
        self._opponents = Opponents(folder)
        self._kept: dict[int, Floats] = {}

    def raw(self, prompts: Tokens, responses: Tokens) -> Floats:
        """The plain proxy's scores (N,), whose differences are log-odds."""
        return score(self.member.model, *self.member.reading(prompts, responses))

    def score(self, prompts: Tokens, responses: Tokens) -> Floats:
        """What the system makes of each response, (N,), in units of its own."""
        number_N = self._opponents.find(prompts)
        self._keep(prompts, number_N)
        reference_NJ = np.stack([self._kept[int(number)] for number in number_N])
        return self._opened.transform(self.raw(prompts, responses), reference_NJ)

    def _keep(self, prompts: Tokens, number_N: npt.NDArray[np.int64]) -> None:
        """Score the frozen responses of prompts that have not come before."""
        number_U, row_U = np.unique(number_N, return_index=True)
        new_U = np.array([int(number) not in self._kept for number in number_U])
        if not new_U.any():
            return
        per_prompt = self._opponents.per_prompt
        asked = prompts.take(np.repeat(row_U[new_U], per_prompt))
        score_UJ = self.raw(asked, self._opponents.of(number_U[new_U])).reshape(-1, per_prompt)
        self._kept |= dict(zip(number_U[new_U].tolist(), score_UJ, strict=True))


class AnchoredMember:
    """A trained proxy of such a system; scores are recentered and scaled as any other's."""

    def __init__(self, folder: Path, anchored: Anchored) -> None:
        self._anchored = anchored
        scale = read_json(folder / "normalization.json")
        self.mean, self.sd = float(scale["mean"]), float(scale["sd"])

    def score(self, prompts: Tokens, responses: Tokens) -> Floats:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        return (self._anchored.score(prompts, responses) - self.mean) / self.sd


def open_member(
    folder: Path, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
) -> AnchoredMember:
    """A trained proxy of a system, by the JSON of its specification."""
    return AnchoredMember(folder, Anchored(folder, system, inputs, world))
