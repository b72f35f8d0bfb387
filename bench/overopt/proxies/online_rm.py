"""Online reward model: gold labels fresh samples while the policy learns, and proxies follow.

Paper: Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences"
(https://arxiv.org/abs/1909.08593), its section on online data collection: new samples of the policy
are labeled during RL and the reward model is trained again on all labels so far, so that it stays
right where the policy is; the paper found it needed for summarization. Its schedule of labels was
not verified. At every ``every``-th rollout ``pairs`` comparisons of neighboring samples are labeled
by gold through the run's noise, and members are trained on all labels from the weights that they
once started from, as the paper does. Going on from the last weights instead passes over the old
labels at every refit: a model that has their noise by heart ranks worse than before.
Deviations: the paper passes over its labels once, at the first training as at later ones (from
memory); here all trainings have the task's epochs. The paper's labels grow rarer along the run.
Scores are recentered and scaled under the initial policy after every refit. The proxy that results
are reported by, and that best-of-n selects by, is the one before the run, as for any system. How
many labels a run asks for follows from its length, and is not part of its budget.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.proxies.contract.refits import Refit
from overopt.spec.declare import param

USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of the online reward model."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    every: int = param(10, help="rollouts from one refit to the next", at_least=1)
    pairs: int = param(64, help="fresh comparisons that gold labels each time", at_least=1)


def refit(config: Config) -> Refit:
    """When members are trained again, and on how much.

    Args:
        config: every, pairs.

    Reference:
        Fine-Tuning Language Models from Human Preferences, https://arxiv.org/abs/1909.08593
    """
    return Refit(config.every, config.pairs)
