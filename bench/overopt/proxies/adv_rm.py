"""Adv-RM: the reward model learns that what an adversarial policy has found is worse.

Paper: Bukharin et al. 2025, "Adversarial Training of Reward Models"
(https://arxiv.org/abs/2504.06141) (abstract and overviews seen; the adversary's objective is from
them, its filter from memory): a policy is trained to be scored high by the target reward model and
low by another one of the same data,
    max over pi of E [R_1(x, y) - lambda R_2(x, y)]
which finds responses of high reward that are off the data and bad. Those that are so are added to
the preference data, as rejected beside a response of the initial policy, and the reward model is
trained again on all of it. Here a response is taken where
    R_1(y) > R_1(y_initial)   and   R_1(y) - R_2(y) >= gap
in SDs of the initial policy. That it is worse is not asked of anyone; how often gold disagrees
stands in the record of the labels.
Deviations: one round, the paper does two; as many adversarial responses are drawn as there are
pairs; the adversary is RLOO run to the task's last step, at its default KL penalty, which is 0
here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param

ATTACKER = "rloo"


@dataclass(frozen=True)
class Config:
    """Settings of adversarial training."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    against: float = param(1.0, help="lambda: of the other reward model's score", at_least=0.0)
    gap: float = param(1.0, help="by which both models have to disagree", unit="SD")


def attack(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Reward of the adversary, in SDs of the initial policy, (N,).

    Args:
        config: lambda.
        score_MN: scores of the target and of the other reward model, (2, N).

    Reference:
        Adversarial Training of Reward Models, https://arxiv.org/abs/2504.06141
    """
    return np.asarray(score_MN[0] - config.against * score_MN[1], np.float64)


def pick(
    config: Config, attack_MN: npt.NDArray[np.float64], initial_MN: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Responses that fool the target: scored above the initial policy's, and by it alone, (N,).

    Args:
        config: gap.
        attack_MN: scores of the adversary's responses by both models.
        initial_MN: those of the initial policy's responses to the same prompts.

    Reference:
        Adversarial Training of Reward Models, https://arxiv.org/abs/2504.06141
    """
    fooled_N = attack_MN[0] > initial_MN[0]
    return np.asarray(fooled_N & (attack_MN[0] - attack_MN[1] >= config.gap), np.bool_)
