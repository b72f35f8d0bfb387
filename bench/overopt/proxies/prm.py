"""Process reward model: says of every step whether it is right, and takes these for the reward.

Paper: Lightman et al. 2023, "Let's Verify Step by Step" (https://arxiv.org/abs/2305.20050); a score
is the probability that all steps are right, the product of the steps' (from notes on the paper, no
equation of its own was seen):
    L = -1/S sum_t [c_t log p_t + (1 - c_t) log(1 - p_t)],   R = prod_t p_t
where p_t is read at the end of step t of S, and c_t is its label. Other reductions are in use:
min p_t; (prod p_t)^(1/S); mean p_t; p_S, which is an outcome reward; and sum p_t, under which
every further right step pays, whether it leads anywhere or not.
Deviations: labels are gold's, of all steps and through the run's noise, which strikes a share of
the steps (the paper's are people's, up to the first wrong step), and a right step that leads
nowhere counts as right; the paper has a third label for it, whose use was not verified. The model
learns from both responses of each pair of the preference data, so that it is told more than which
of them is better. The mean over steps is not verified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param

STEP_SCORES = True
LABELS = ("steps",)


@dataclass(frozen=True)
class Config:
    """Settings of a process reward model."""

    members: int = param(1, help="reward models, same steps, different seeds", at_least=1)
    over: str = param(
        "product",
        help="what is made of the steps' probabilities",
        one_of=("product", "min", "geometric", "mean", "last", "sum"),
    )


def reduce(
    config: Config, step_NT: npt.NDArray[np.float64], mask_NT: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """What the probabilities of a response's steps come to, a number from 0 to 1, or to S for sum.

    Args:
        config: which reduction.
        step_NT: log-odds, nats, that the step which ends at this token is right.
        mask_NT: True where a step ends; at least once in every row.

    Returns:
        Shape (N,).

    Reference:
        Let's Verify Step by Step, https://arxiv.org/abs/2305.20050
    """
    log_p_NT = np.where(mask_NT, -np.logaddexp(0.0, -step_NT), 0.0)
    p_NT = np.where(mask_NT, np.exp(log_p_NT), 0.0)
    steps_N = mask_NT.sum(axis=1)
    if config.over == "product":
        score_N = np.exp(log_p_NT.sum(axis=1))
    elif config.over == "min":
        score_N = np.exp(log_p_NT.min(axis=1))
    elif config.over == "geometric":
        score_N = np.exp(log_p_NT.sum(axis=1) / steps_N)
    elif config.over == "mean":
        score_N = p_NT.sum(axis=1) / steps_N
    elif config.over == "last":
        last_N = mask_NT.shape[1] - 1 - mask_NT[:, ::-1].argmax(axis=1)
        score_N = p_NT[np.arange(len(p_NT)), last_N]
    else:
        score_N = p_NT.sum(axis=1)
    return np.asarray(score_N, np.float64)
