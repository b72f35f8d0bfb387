"""Opens a proxy that compares two responses: as a score, and as what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import PreTrainedModel

from overopt.artifacts.opponents import Opponents
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.proxy import Retokenizer, open_own_reader
from overopt.artifacts.tables import read_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.members import OpenedMembers
from overopt.models.rewards.headed import TrunkStates, load_head
from overopt.models.rewards.pairwise import PairwiseReward, preferences, read_trunk
from overopt.models.rewards.reward import distinct_rows, load_reward
from overopt.proxies.contract.heads import HeadShape
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]


class Comparer:
    """Compares responses with each other, and with the frozen ones of their prompt.

    States of frozen responses are kept once they have been read.
    """

    def __init__(self, model: PairwiseReward, opponents: Opponents, reading: Retokenizer) -> None:
        self._model, self._opponents, self._reading = model, opponents, reading
        self._kept: dict[int, TrunkStates] = {}

    def prefer(self, prompts: Tokens, first: Tokens, second: Tokens) -> Floats:
        """P(first > second), (N,), of two responses to each prompt."""
        a, b = (read_trunk(self._model, *self._reading(prompts, side)) for side in (first, second))
        return preferences(self._model, a, b)

    def margins(self, pairs: Preferences) -> Floats:
        """Log-odds (P,) that the preferred response of each comparison is preferred."""
        chance_P = self.prefer(pairs.prompts, pairs.chosen, pairs.rejected)
        tiny = np.finfo(np.float64).tiny
        return np.log(np.maximum(chance_P, tiny)) - np.log(np.maximum(1 - chance_P, tiny))

    def prefer_among(self, prompts: Tokens, responses: Tokens) -> Floats:
        """P(y_i > y_k), (B, N, N), among the N responses to each of B prompts, prompt-major."""
        count = responses.rows() // prompts.rows()
        of_row = np.repeat(np.arange(prompts.rows()), count)
        states = read_trunk(self._model, *self._reading(prompts.take(of_row), responses))
        first, second = np.indices((count, count)).reshape(2, -1)
        start_B1 = np.arange(prompts.rows())[:, None] * count
        chance = preferences(
            self._model,
            _take(states, (start_B1 + first).ravel()),
            _take(states, (start_B1 + second).ravel()),
        )
        return chance.reshape(prompts.rows(), count, count)

    def against_initial(self, prompts: Tokens, responses: Tokens) -> Floats:
        """Mean of P(y > y_j) over the J frozen responses to the prompt, (N,).

        Equal rows are compared once, so that they get equal scores to the last bit.
        """
        first_U, inverse_N = distinct_rows(prompts, responses)
        asked, given = prompts.take(first_U), responses.take(first_U)
        number_U = self._opponents.find(asked)
        self._keep(asked, number_U)
        per_prompt = self._opponents.per_prompt
        kept = [self._kept[int(number)] for number in number_U]
        theirs = TrunkStates(*(torch.cat(parts) for parts in zip(*kept, strict=True)))
        states = read_trunk(self._model, *self._reading(asked, given))
        ours = _take(states, np.repeat(np.arange(len(first_U)), per_prompt))
        chance_U = preferences(self._model, ours, theirs).reshape(-1, per_prompt).mean(axis=1)
        return np.asarray(chance_U[inverse_N], np.float64)

    def _keep(self, prompts: Tokens, number_U: npt.NDArray[np.int64]) -> None:
        """Read the frozen responses of prompts that have not come before."""
        new, first = np.unique(number_U, return_index=True)
        missing = [(n, f) for n, f in zip(new, first, strict=True) if int(n) not in self._kept]
        if not missing:
            return
        numbers, rows = (np.array(part) for part in zip(*missing, strict=True))
        per_prompt = self._opponents.per_prompt
        asked = prompts.take(np.repeat(rows, per_prompt))
        states = read_trunk(self._model, *self._reading(asked, self._opponents.of(numbers)))
        for place, number in enumerate(numbers):
            index = np.arange(place * per_prompt, (place + 1) * per_prompt)
            self._kept[int(number)] = _take(states, index)


def _take(states: TrunkStates, index_N: npt.NDArray[np.integer]) -> TrunkStates:
    index = torch.from_numpy(np.asarray(index_N, np.int64))
    return TrunkStates(states.last_BD[index], states.prompt_BD[index])


def start(
    trunk: PreTrainedModel, head: nn.Module, opponents: Path, reading: Retokenizer
) -> tuple[PairwiseReward, Comparer]:
    """An untrained pairwise model, and what compares by it once it is trained."""
    model = PairwiseReward(trunk, head)
    return model, Comparer(model, Opponents(opponents), reading)


class PairwiseMember:
    """A trained pairwise proxy; scores are recentered and scaled as any other's.

    comparer: for methods that compare samples with each other.
    """

    def __init__(self, folder: Path, world: World, opened: OpenedMembers) -> None:
        record = read_json(folder / "head.json")
        head = opened.make_head(HeadShape(**record["shape"]), seed=0)
        load_head(head, folder / "model")
        model = PairwiseReward(load_reward(folder / "model"), head)
        model.eval()
        self.comparer = Comparer(model, Opponents(folder), open_own_reader(folder, world))
        scale = read_json(folder / "normalization.json")
        self.mean, self.sd = float(scale["mean"]), float(scale["sd"])

    def score(self, prompts: Tokens, responses: Tokens) -> Floats:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        return (self.comparer.against_initial(prompts, responses) - self.mean) / self.sd


def open_member(
    folder: Path, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
) -> PairwiseMember:
    """A trained proxy of a system, by the JSON of its specification."""
    spec = locate_own(ProxySystemSpec.model_validate(system), inputs)
    return PairwiseMember(folder, world, open_as(OpenedMembers, spec))
