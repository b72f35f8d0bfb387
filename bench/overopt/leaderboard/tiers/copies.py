"""Whether samples were copied: from another seed of the same run, or from another submission.

Two cells are compared prompt by prompt, whatever the order of the samples: the share of samples
whose responses are the same and whose log-ratios are as good as equal, beyond the share that two
independent draws of one policy have in common, where responses are few:

    excess = (same - chance) / (1 - chance)

With a and b times a response in the two, same is the mean of min(a, b), and chance that of what
dealing all of both anew into two equal halves would give, E min(h, a + b - h), h hypergeometric.
Two entries may well draw with the same random numbers, since the seed of an evaluation belongs to
the seed of the run; their policies still differ by more than ``SAME_LOG_RATIO`` once they have
moved away from the initial policy. So points below ``LEAST_KL`` nats are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

from overopt.artifacts.scores import fingerprint
from overopt.leaderboard.submission.pages import Samples

LEAST_KL = 0.5
SAME_LOG_RATIO = 0.02
"""Nats, within which two log-ratios of a response count as equal; a copier's noise has to be
larger, and then moves the mean of q/pi."""
COPIED = 0.5
"""Excess from which on a cell is called a copy."""
_MOST_POINTS = 6
_ODD, _OTHER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


class Tally(NamedTuple):
    """The distinct responses of a point, (U,), each by the prompt that it answers.

    key_U: of prompt and response, ascending. count_U: how often. ratio_U: mean log-ratio, nats.
    """

    key_U: npt.NDArray[np.uint64]
    count_U: npt.NDArray[np.int64]
    ratio_U: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prints:
    """What is compared of a cell's points, by rising KL.

    shape: prompts, and samples of each. tallies: of each point; log-ratios are 0 where there are
    none.
    """

    shape: tuple[int, int]
    tallies: tuple[Tally, ...]


def prints_of(samples: Samples) -> Prints | None:
    """What is compared of a cell; None where no point lies far enough from the initial policy."""
    prompts = samples.prompt_gold_KB.shape[1]
    kl_K = samples.prompt_kl_KB.mean(axis=1)
    far = [k for k in range(1, len(kl_K)) if kl_K[k] >= LEAST_KL]
    if not far:
        return None
    chosen = [far[i] for i in sorted({*np.linspace(0, len(far) - 1, _MOST_POINTS).astype(int)})]
    print_R = fingerprint(samples.responses)
    ratio_R = np.zeros(len(print_R))
    if len(samples.policy_logp):
        ratio_R = samples.policy_logp - samples.reference_logp
    rows = [np.flatnonzero(samples.point == samples.measured_K[k]) for k in chosen]
    return Prints(
        (prompts, len(rows[0]) // prompts),
        tuple(tally(print_R[one].reshape(prompts, -1), ratio_R[one]) for one in rows),
    )


def tally(print_BN: npt.NDArray[np.int64], ratio_R: npt.NDArray[np.float64]) -> Tally:
    """Count the responses of a point.

    Args:
        print_BN: their fingerprints.
        ratio_R: their log-ratios, prompt by prompt, nats.
    """
    prompt_B1 = np.arange(1, len(print_BN) + 1, dtype=np.uint64)[:, None]
    key_R = (print_BN.view(np.uint64) * _ODD + prompt_B1 * _OTHER).ravel()
    key_U, which_R, count_U = np.unique(key_R, return_inverse=True, return_counts=True)
    ratio_U = np.bincount(which_R.ravel(), ratio_R.ravel(), len(key_U)) / count_U
    return Tally(key_U, count_U, ratio_U)


def excess(one: Prints, other: Prints) -> float:
    """Largest excess of common samples over the pairs of points of two cells; 0 where none are."""
    if one.shape != other.shape:
        return 0.0
    return max(_excess(a, b, *one.shape) for a in one.tallies for b in other.tallies)


def _excess(a: Tally, b: Tally, prompts: int, each: int) -> float:
    _, i, j = np.intersect1d(a.key_U, b.key_U, assume_unique=True, return_indices=True)
    close = np.abs(a.ratio_U[i] - b.ratio_U[j]) <= SAME_LOG_RATIO
    i, j = i[close], j[close]
    same = float(np.minimum(a.count_U[i], b.count_U[j]).sum()) / (prompts * each)
    if same < COPIED:  # the excess is no larger than the share
        return 0.0
    dealt = [a.count_U[i] + b.count_U[j], np.delete(a.count_U, i), np.delete(b.count_U, j)]
    total_T, times_T = np.unique(np.concatenate(dealt), return_counts=True)
    common_T = np.array([_common(int(total), each) for total in total_T])
    chance = float((common_T * times_T).sum()) / (prompts * each)
    return (same - chance) / (1 - chance) if chance < 1 - 1e-9 else 0.0


@cache
def _common(total: int, each: int) -> float:
    """E min(h, total - h) where h of so many alike fall into one half of 2 x ``each``."""
    first_H = np.arange(max(0, total - each), min(total, each) + 1)
    chance_H = hypergeom.pmf(first_H, 2 * each, total, each)
    return float(np.minimum(first_H, total - first_H) @ chance_H)
