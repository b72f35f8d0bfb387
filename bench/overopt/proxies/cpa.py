"""CPA: preferences of some topics are transported to others, whose labels are not used.

Paper: Liu et al. 2023, "PEARL: Zero-shot Cross-task Preference Alignment and Robust Reward Learning
for Robotic Manipulation" (https://arxiv.org/abs/2306.03615) (abstract and overview seen; equations
from memory): trajectories of a source task are matched with those of a target task by the
Gromov-Wasserstein distance, and the coupling T carries the source's preferences over:
    T = argmin_T sum |C_ij - C'_kl|^2 T_ik T_jl - e H(T),   C, C' distances within each task
    q(k > l) = sum over labeled pairs i > j of T_ik T_jl, over the same plus sum of T_il T_jk
    L = -q log sigmoid(r_k - r_l) - (1 - q) log sigmoid(r_l - r_k)
Tasks are here categories of prompts: the first ones are sources, which learn their own labels
(q = 1), and the others targets. Trajectories are the initial policy's states at responses' ends.
What is transported is wrong where topics differ, so that noise follows the topic.
T is found as the usual entropic solver finds it: every step transports at the slope of the first
term, 2 sum_jl |C_ij - C'_kl|^2 T_jl, of the coupling before it.
Deviations: the paper's second part, rewards as Gaussians, is left out. Sets larger than ``most``
pairs are cut: sources to their first pairs, targets into parts that are matched one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.proxies.contract.known import KnownPairs
from overopt.spec.declare import param

LABELS = ("category",)
Floats = npt.NDArray[np.float64]
_BALANCED, _ROUNDS, _SWEEPS = 1e-9, 25, 40
"""Relative error of a row's sum that is looked for, and how long at most in each transport."""


@dataclass(frozen=True)
class Config:
    """Settings of transported preferences."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    sources: float = param(
        0.5, help="share of categories, rounded up, with labels in use", above=0.0, at_most=1.0
    )
    entropy: float = param(0.01, help="e: how blurred the coupling is", above=0.0)
    steps: int = param(20, help="of the coupling", at_least=1)
    most: int = param(128, help="pairs that are matched at once", at_least=2)


def couple(config: Config, source_ND: Floats, target_MD: Floats) -> Floats:
    """The coupling of two sets by their distances alone, (N, M); its sum is 1.

    Distances are over their mean within each set. Every step is an entropic transport (in logs) at
    the slope of the distortion at the coupling before it, from the independent coupling on. What
    does not move any more is stationary: log T + slope / e is a sum of a row's and a column's term.

    Args:
        config: e, steps.
        source_ND, target_MD: the two sets; their spaces need not be the same.
    """
    within, beyond = (cdist(one, one) for one in (source_ND, target_MD))
    within, beyond = (one / max(float(one.mean()), 1e-12) for one in (within, beyond))
    rows, columns = len(within), len(beyond)
    coupling_NM = np.full((rows, columns), 1.0 / (rows * columns))
    fixed_NM = (within**2).mean(1)[:, None] + (beyond**2).mean(1)[None]
    across_M = np.zeros(columns)
    for _ in range(config.steps):
        slope_NM = 2.0 * (fixed_NM - 2.0 * within @ coupling_NM @ beyond)
        coupling_NM, across_M = balance(-slope_NM / config.entropy, across_M)
    return coupling_NM


def balance(kernel_NM: Floats, across_M: Floats) -> tuple[Floats, Floats]:
    """exp(kernel + a row's term + a column's), (N, M), whose rows are all equal, and columns too.

    Sinkhorn's sweeps: one in logs, then some by factors of rows and columns, which cost little and
    are taken into the logs before they overflow, since one changes at most N M times in a sweep.
    Columns are exact, and rows as near as a thousand sweeps take them: where the kernel is sharp
    the next transport goes on from the terms that this one has found.

    Args:
        kernel_NM: in logs.
        across_M: terms of columns to begin with.

    Returns:
        The transport, whose sum is 1, and its columns' terms.
    """
    rows, columns = kernel_NM.shape
    for _ in range(_ROUNDS):
        down_N = -np.log(rows) - logsumexp(kernel_NM + across_M, axis=1)
        across_M = -np.log(columns) - logsumexp(kernel_NM + down_N[:, None], axis=0)
        made_NM = np.exp(kernel_NM + down_N[:, None] + across_M)
        if np.abs(made_NM.sum(axis=1) * rows - 1.0).max() < _BALANCED:
            break
        factor_M = np.ones(columns)
        for _ in range(_SWEEPS):
            factor_M = 1.0 / (columns * (1.0 / (rows * (made_NM @ factor_M)) @ made_NM))
        across_M = across_M + np.log(factor_M)
    return made_NM, across_M


def transport(
    config: Config, better_SD: Floats, worse_SD: Floats, a_TD: Floats, b_TD: Floats
) -> Floats:
    """Probability that a is better than b of each target pair, (T,).

    Args:
        config: of the coupling.
        better_SD, worse_SD: states of the sides of source pairs.
        a_TD, b_TD: states of the sides of target pairs.
    """
    coupling_NM = couple(
        config, np.concatenate([better_SD, worse_SD]), np.concatenate([a_TD, b_TD])
    )
    better_SM, worse_SM = np.split(coupling_NM, 2)
    first, last = slice(None, len(a_TD)), slice(len(a_TD), None)
    for_T = (better_SM[:, first] * worse_SM[:, last]).sum(0)
    against_T = (better_SM[:, last] * worse_SM[:, first]).sum(0)
    both_T = for_T + against_T
    known_T = np.divide(for_T, both_T, out=np.full(len(a_TD), 0.5), where=both_T > 0)
    return np.asarray(known_T, np.float64)


def prepare(config: Config, known: KnownPairs) -> Mapping[str, Floats]:
    """Probability q that the preferred response of each pair is better, (P,).

    Args:
        config: which categories are sources, and how the rest is matched.
        known: frozen states, and categories.

    Reference:
        PEARL, https://arxiv.org/abs/2306.03615
    """
    category_P = known.labels["category"]
    kinds = int(category_P.max()) + 1
    # less a little, so that a last digit rounds nothing up: .07 x 100 is above 7
    source_P = category_P < math.ceil(config.sources * kinds - 1e-9)
    q_P = np.ones(len(category_P))
    source_S = np.flatnonzero(source_P)[: config.most]
    if not len(source_S):
        return {"q": q_P}
    for kind in np.unique(category_P[~source_P]):
        of_kind = np.flatnonzero(category_P == kind)
        for start in range(0, len(of_kind), config.most):
            part_T = of_kind[start : start + config.most]
            q_P[part_T] = transport(
                config,
                known.chosen_PD[source_S],
                known.rejected_PD[source_S],
                known.chosen_PD[part_T],
                known.rejected_PD[part_T],
            )
    return {"q": q_P}


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Cross-entropy with what is transported, and with the label of sources, nats, (P,).

    Args:
        config: unused.
        batch: rewards of both sides, and q.

    Reference:
        PEARL, https://arxiv.org/abs/2306.03615
    """
    margin_P, q_P = batch.chosen_P - batch.rejected_P, batch.labels["q"]
    return -q_P * logsigmoid(margin_P) - (1.0 - q_P) * logsigmoid(-margin_P)
