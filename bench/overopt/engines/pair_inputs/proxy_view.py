"""What a proxy says of preference pairs, and of samples of the initial policy to their prompts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.engines.contract import Reward, RunInputs, required
from overopt.engines.method.pairs import OpenedPairs
from overopt.models.sampling import sample
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens, concatenate


class Sampled(NamedTuple):
    """N samples of the initial policy to each of B prompts, prompt-major, and their scores."""

    prompts: Tokens
    responses: Tokens
    score_BN: Tensor

    @property
    def tokens(self) -> int:
        """Prompt and response tokens of all rows."""
        return int(self.prompts.length_N.sum() + self.responses.length_N.sum())


class ProxyView:
    """The proxy's scores of pairs, and samples of the initial policy that belong to them.

    Samples are drawn when a pair comes up for the first time, and stay: they are a data set.

    scores_pairs, samples: whether the method asks for scores of the pairs; how many samples it asks
        for to each prompt.
    drawn, tokens: samples so far, and their prompt and response tokens.

    Args:
        method: whose INPUTS are served.
        pairs: all of them.
        inputs: of the run; torch draws the samples.
    """

    def __init__(self, method: OpenedPairs, pairs: Preferences, inputs: RunInputs) -> None:
        counts = [method.count(name) for name in ("reference_scores", "listed")]
        self.samples = max(counts)
        self.scores_pairs = not method.inputs.isdisjoint({"proxy_scores", "listed"})
        self.drawn, self.tokens = 0, 0
        self._name, self._pairs, self._inputs = method.name, pairs, inputs
        self._kept: dict[int, tuple[Tokens, npt.NDArray[np.float64]]] = {}
        self._score_2P: npt.NDArray[np.float64] | None = None

    def scores(self, index_B: npt.NDArray[np.integer]) -> Tensor | None:
        """Score of the chosen and the rejected response of these pairs, (2, B); None unasked."""
        if not self.scores_pairs:
            return None
        if self._score_2P is None:
            pairs = self._pairs
            self._score_2P = np.stack(
                [self._score(pairs.prompts, side) for side in (pairs.chosen, pairs.rejected)]
            )
        return torch.from_numpy(self._score_2P[:, index_B]).float()

    def sampled(self, index_B: npt.NDArray[np.integer]) -> Sampled | None:
        """The samples that belong to these pairs; None unless asked for."""
        if not self.samples:
            return None
        new_Q = np.array([index for index in index_B if int(index) not in self._kept], np.int64)
        if len(new_Q):
            self._draw(new_Q)
        kept = [self._kept[int(index)] for index in index_B]
        return Sampled(
            self._pairs.prompts.take(np.repeat(index_B, self.samples)),
            concatenate([responses for responses, _ in kept]),
            torch.from_numpy(np.stack([score_N for _, score_N in kept])).float(),
        )

    def _draw(self, index_Q: npt.NDArray[np.int64]) -> None:
        prompts, count = self._pairs.prompts, self.samples
        responses = sample(
            self._inputs.reference,
            prompts.take(index_Q),
            count,
            self._inputs.max_new_tokens,
            self._inputs.randomness.torch,
        ).responses
        asked = prompts.take(np.repeat(index_Q, count))
        score_QN = self._score(asked, responses).reshape(-1, count)
        for place, index in enumerate(index_Q):
            rows_N = np.arange(place * count, (place + 1) * count)
            self._kept[int(index)] = (responses.take(rows_N), score_QN[place])
        self.drawn += responses.rows()
        self.tokens += int(asked.length_N.sum() + responses.length_N.sum())

    def _score(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        reward: Reward = required(self._inputs.reward, "a proxy")
        score_N = np.asarray(reward(prompts, responses), np.float64)
        if not np.isfinite(score_N).all():
            raise FloatingPointError(f"{self._name}: a score of the proxy is not finite")
        return score_N
