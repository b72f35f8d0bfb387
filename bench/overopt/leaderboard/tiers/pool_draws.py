"""Draws of a reweighted pool beside means that were taken over every response.

Where all responses are listed, gold and proxy of a policy are exact, and its samples are drawn from
the pool's weights, which stand for it. The mean of the draws then has two errors: theirs, given the
weights, and the pool's. All cells of a world share its pool, so that each point is tested alone.

Of a policy p, the initial policy q and a pool of M, the mean over the pool's weights has variance
sum p^2 (v - mean)^2 / (M q) for a prompt, with M q taken for 1 at least. Draws are independent
given the weights, so that the mean over pairs of draws of 1[same text] (v - mean)^2 / (M q)
estimates it. What was never drawn is allowed for as ``columns.RARE`` says. A text that the policy
likes and the pool lacks is seen by neither, and matters more the further the policy has moved: up
to ``UP_TO`` nats the error is taken ``WIDER`` times as large, and beyond nothing is tested.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from overopt.artifacts.scores import fingerprint
from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell

Floats = npt.NDArray[np.float64]

UP_TO = 2.0
"""Nats."""
WIDER = 2.0
"""Over 400 made-up worlds of 16 prompts, 216 texts and pools of 512, the largest z of honest
numbers is then 2.2 at 1.3 nats and 3.3 at 2.2, where one SD too much gives 7 and more."""
RARE = 8.0
"""Draws' worth of responses that may be missed; see ``columns``."""


def exact_draws(
    cell: Cell, samples: Samples, k: int, pool_samples: int
) -> Iterator[tuple[str, float]]:
    """For gold and proxy of the k-th measured point, the test's name and its z.

    Args:
        cell: the cell, for its scales.
        samples: its page, of a method that reweights the pool.
        k: number of the measured point.
        pool_samples: responses to each prompt in the pool, M.
    """
    prompts = samples.prompt_gold_KB.shape[1]
    if samples.prompt_kl_KB[k].mean() > UP_TO:
        return
    rows = np.flatnonzero(samples.point == samples.measured_K[k])
    text_BN = fingerprint(samples.responses.take(rows)).reshape(prompts, -1)
    frequency_BN = pool_samples * np.exp(samples.reference_logp[rows]).reshape(prompts, -1)
    gold = (samples.gold[rows] - cell.gold_mean) / cell.gold_sd
    proxy = samples.proxy[rows] - cell.proxy_offset
    for test, drawn, stated_B in (
        ("gold_draws", gold, samples.prompt_gold_KB[k]),
        ("proxy_draws", proxy, samples.prompt_proxy_KB[k]),
    ):
        drawn_BN = drawn.reshape(prompts, -1)
        gap = float((drawn_BN.mean(axis=1) - stated_B).mean())
        missed = RARE * float(np.ptp(drawn_BN)) / drawn_BN.size
        error = _error(text_BN, np.maximum(frequency_BN, 1.0), drawn_BN)
        yield test, float(np.sign(gap)) * max(0.0, abs(gap) - missed) / max(WIDER * error, 1e-9)


def _error(text_BN: npt.NDArray[np.int64], frequency_BN: Floats, drawn_BN: Floats) -> float:
    """Standard error of the mean of the draws over all prompts."""
    prompts, each = len(drawn_BN), len(drawn_BN[0])
    square_BN = (drawn_BN - drawn_BN.mean(axis=1, keepdims=True)) ** 2
    variance = 0.0
    for text_N, frequency_N, square_N in zip(text_BN, frequency_BN, square_BN, strict=True):
        _, which_N, count = np.unique(text_N, return_inverse=True, return_counts=True)
        same_N = count[which_N] - 1
        variance += float((square_N * same_N / frequency_N).sum()) / max(1, each * (each - 1))
        variance += float(square_N.sum()) / max(1, each * (each - 1))
    return float(np.sqrt(variance)) / prompts
