"""Hyper-cleaning: pairs are weighted so that what is learned from them fits a small clean set.

Paper: Franceschi et al. 2018, "Bilevel Programming for Hyperparameter Optimization and
Meta-Learning" (https://arxiv.org/abs/1806.04910), data hyper-cleaning (from memory of this line of
papers; nothing was verified):
    min over l of 1/C sum_c loss_c(w(l)),   w(l) = argmin_w 1/N sum_i sigmoid(l_i) loss_i(w)
                                                           + ridge / 2 |w|^2
where c goes over labels that are known to be right and i over the others. The inner problem is the
Bradley-Terry loss of a linear head on the initial policy's frozen states, so that it has one
solution, and the outer gradient is exact, by the implicit function theorem:
    dF/dl_i = sigmoid'(l_i) s_i / N  d_i . H^-1 g,   s_i = sigmoid(-w . d_i)
with d_i the states of the preferred response less those of the other, H the inner Hessian and g the
outer gradient in w. Members then learn all pairs by weighted Bradley-Terry losses; clean ones weigh
as sigmoid(l) = 1, and the mean weight is 1.
Which labels are known to be right is the task's: a share of them that passes no noise
(``labels.clean``), such as an expert's.
Deviations: the weights are found on frozen states and stay, where later work goes on with them
while a whole model is trained; all start alike at l = 0 and move a fixed number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.proxies.contract.known import KnownPairs
from overopt.spec.declare import param

LABELS = ("clean",)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Config:
    """Settings of hyper-cleaning."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    steps: int = param(50, help="of the weights", at_least=0)
    rate: float = param(2.0, help="of the weights' steps, times the number of pairs", above=0.0)
    ridge: float = param(0.01, help="of the inner problem", above=0.0)


class Outer(NamedTuple):
    """The outer loss at some weights, nats, its gradient in l (N,), and the inner solution (D,)."""

    loss: float
    slope_N: Floats
    head_D: Floats


def solve(config: Config, d_ND: Floats, weight_N: Floats, start_D: Floats) -> Floats:
    """The head that minimizes the weighted losses with the ridge, (D,)."""

    def value(w_D: Floats) -> float:
        loss = (weight_N * np.logaddexp(0.0, -d_ND @ w_D)).mean()
        return float(loss + config.ridge / 2 * w_D @ w_D)

    def slope(w_D: Any) -> Any:
        wrong_N = weight_N * expit(-d_ND @ w_D)
        return -d_ND.T @ wrong_N / len(d_ND) + config.ridge * w_D

    found = cast(Any, minimize)(
        value,
        start_D,
        jac=slope,
        hess=lambda w_D: _curvature(config, d_ND, weight_N, w_D),
        method="trust-exact",
        tol=1e-9,
    )
    return np.asarray(found.x, np.float64)


def _curvature(config: Config, d_ND: Floats, weight_N: Floats, w_D: Floats) -> Floats:
    wrong_N = expit(-d_ND @ w_D)
    scaled_ND = d_ND * (weight_N * wrong_N * (1 - wrong_N))[:, None]
    return np.asarray(d_ND.T @ scaled_ND / len(d_ND) + config.ridge * np.eye(len(w_D)))


def outer(config: Config, d_ND: Floats, d_CD: Floats, logit_N: Floats, start_D: Floats) -> Outer:
    """Loss on the clean pairs of the head that these weights give, and how it moves with them.

    Args:
        config: ridge.
        d_ND, d_CD: state differences of the pairs that are weighted and of the clean ones.
        logit_N: l.
        start_D: where the inner solution is looked for.
    """
    weight_N = expit(logit_N)
    head_D = solve(config, d_ND, weight_N, start_D)
    margin_C = d_CD @ head_D
    outer_D = -d_CD.T @ expit(-margin_C) / len(d_CD)
    back_D = np.linalg.solve(_curvature(config, d_ND, weight_N, head_D), outer_D)
    wrong_N = expit(-d_ND @ head_D)
    slope_N = weight_N * (1 - weight_N) * wrong_N / len(d_ND) * (d_ND @ back_D)
    return Outer(float(np.logaddexp(0.0, -margin_C).mean()), slope_N, head_D)


def prepare(config: Config, known: KnownPairs) -> Mapping[str, Floats]:
    """Weight of each pair, (P,), mean 1; all alike where no pair is clean, or none is not.

    Args:
        config: steps, rate, ridge.
        known: frozen states; which labels are known to be right.

    Reference:
        Bilevel Programming for Hyperparameter Optimization and Meta-Learning,
        https://arxiv.org/abs/1806.04910
    """
    clean_P = known.labels["clean"].astype(bool)
    difference_PD = known.chosen_PD - known.rejected_PD
    difference_PD = difference_PD / max(float(np.sqrt((difference_PD**2).mean())), 1e-12)
    weight_P = np.ones(len(clean_P))
    if clean_P.any() and not clean_P.all():
        d_ND, d_CD = difference_PD[~clean_P], difference_PD[clean_P]
        logit_N, head_D = np.zeros(len(d_ND)), np.zeros(d_ND.shape[1])
        for _ in range(config.steps):
            _, slope_N, head_D = outer(config, d_ND, d_CD, logit_N, head_D)
            logit_N = logit_N - config.rate * len(d_ND) * slope_N
        weight_P[~clean_P] = expit(logit_N)
    return {"weight": weight_P / weight_P.mean()}


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Weighted Bradley-Terry loss of each comparison, nats, (P,).

    Args:
        config: unused.
        batch: rewards of both sides, and weights.

    Reference:
        Bilevel Programming for Hyperparameter Optimization and Meta-Learning,
        https://arxiv.org/abs/1806.04910
    """
    return -batch.labels["weight"] * logsigmoid(batch.chosen_P - batch.rejected_P)
