"""Hybrid labels: gold labels the pairs where, by trials on other pairs, it is worth most.

Paper: Miranda et al. 2024, "Hybrid Preferences: Learning to Route Instances for Human vs. AI
Feedback" (https://arxiv.org/abs/2410.19133), checked against the authors' released code. A
performance model, linear in how many of the gold-labeled pairs have each tag, is fitted to the
scores of reward models trained on mixes:
    score = w_0 + sum over tags of w_f count_f,   gain of a pair = sum of w_f over its tags
and gold labels the pairs of the largest gains, up to the budget; the linear model's predicted score
adds up, so that no other choice of as many pairs has a larger one.
Gold stands for the careful annotator, the labels of the run, with its noise, for the cheap one.
Members are plain reward models. Without noise both annotators agree, and this is ``single``.
Deviations: tags are categories and thirds of lengths, overlap and log-probabilities, which need no
annotator; the paper's come from language models and embeddings. Trials are linear heads on the
initial policy's frozen states, of half the held-out pairs, scored by their accuracy on the other
half; the paper trains whole reward models and scores them on a benchmark. Cheap labels of trials
are drawn from gold by the run's level of noise, in which annotators, topics and labels of a data
set have no part: where a task has these, the labels that gold replaces are others than those that
trials weighed. Pairs of equal gain are taken in their order, which is random. Gold labels that
trials take are not part of the budget, and are recorded beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract.labels import PairTags
from overopt.spec.declare import param

USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of hybrid labels."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    budget: float = param(
        0.25, help="share of the pairs that gold may label", at_least=0.0, at_most=1.0
    )
    trials: int = param(500, help="mixes that the performance model is fitted to", at_least=1)


def weigh(
    count_KF: npt.NDArray[np.float64], score_K: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Gain of one more gold label with each tag, (F,), in score: least squares with an intercept.

    Tags that always stand together, such as the thirds of one length, cannot be told apart; of all
    solutions it is the shortest.

    Args:
        count_KF: gold-labeled pairs with each tag, of K trials.
        score_K: their scores.
    """
    centered_KF = count_KF - count_KF.mean(axis=0)
    gain_F, *_ = np.linalg.lstsq(centered_KF, score_K - score_K.mean(), rcond=1e-9)
    return np.asarray(gain_F, np.float64)


def route(config: Config, features: PairTags, budget: int) -> npt.NDArray[np.bool_]:
    """The pairs of the largest gain, ``budget`` of them, bool (P,).

    Args:
        config: unused.
        features: tags of the pairs, counts and scores of trials.
        budget: how many pairs gold labels.

    Reference:
        Hybrid Preferences, https://arxiv.org/abs/2410.19133
    """
    gain_P = features.tag_PF @ weigh(features.trial_count_KF, features.trial_score_K)
    mask_P = np.zeros(len(gain_P), dtype=np.bool_)
    mask_P[np.argsort(-gain_P, kind="stable")[:budget]] = True
    return mask_P
