"""Whether samples were copied: from another seed of the same run, or from another submission.

Two cells are compared slot by slot: the share of slots (a prompt's n-th sample) whose responses are
the same and whose log-ratios are as good as equal, beyond the share that slots have in common which
do not belong to each other, where responses are few and policies alike:

    excess = (same - chance) / (1 - chance)

Two entries may well draw with the same random numbers, since the seed of an evaluation belongs to
the seed of the run; their policies still differ by more than ``SAME_LOG_RATIO`` once they have
moved away from the initial policy. So points below ``LEAST_KL`` nats are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.artifacts.scores import fingerprint
from overopt.leaderboard.submission.pages import Samples

LEAST_KL = 0.5
SAME_LOG_RATIO = 0.02
"""Nats, within which two log-ratios of a response count as equal; a copier's noise has to be
larger, and then moves the mean of q/pi."""
COPIED = 0.5
"""Excess from which on a cell is called a copy."""
_MOST_POINTS = 6


@dataclass(frozen=True)
class Prints:
    """What is compared of a cell's points, by rising KL.

    prints_KBN: fingerprints of the responses. ratio_KBN: their log-ratios, 0 where there are none.
    """

    kl_nats: tuple[float, ...]
    prints_KBN: npt.NDArray[np.int64]
    ratio_KBN: npt.NDArray[np.float64]


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
        tuple(float(kl_K[k]) for k in chosen),
        np.stack([print_R[one].reshape(prompts, -1) for one in rows]),
        np.stack([ratio_R[one].reshape(prompts, -1) for one in rows]),
    )


def excess(one: Prints, other: Prints) -> float:
    """Largest excess of common samples over the pairs of points of two cells; 0 where none are."""
    if one.prints_KBN.shape[1:] != other.prints_KBN.shape[1:]:
        return 0.0
    return max(
        _excess(a, ra, b, rb)
        for a, ra in zip(one.prints_KBN, one.ratio_KBN, strict=True)
        for b, rb in zip(other.prints_KBN, other.ratio_KBN, strict=True)
    )


def _excess(
    a_BN: npt.NDArray[np.int64],
    ratio_a_BN: npt.NDArray[np.float64],
    b_BN: npt.NDArray[np.int64],
    ratio_b_BN: npt.NDArray[np.float64],
) -> float:
    def share(shift: int) -> float:
        moved, ratio = np.roll(b_BN, shift, axis=1), np.roll(ratio_b_BN, shift, axis=1)
        same = (a_BN == moved) & (np.abs(ratio_a_BN - ratio) <= SAME_LOG_RATIO)
        return float(same.mean())

    same = share(0)
    if same < COPIED:  # the excess is no larger than the share
        return 0.0
    shifts = range(1, min(a_BN.shape[1], 9))
    chance = float(np.mean([share(shift) for shift in shifts])) if shifts else 0.0
    return (same - chance) / (1 - chance) if chance < 1 else 0.0
