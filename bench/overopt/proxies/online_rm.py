"""Online reward model: gold labels fresh samples while the policy learns, and proxies follow.

Paper: Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences"
(https://arxiv.org/abs/1909.08593), its section on online data collection: new samples of the policy
are labeled during RL and the reward model is trained again on all labels so far, so that it stays
right where the policy is; the paper found it needed for summarization. Its schedule of labels was
not verified. At every ``every``-th rollout ``pairs`` comparisons of neighboring samples are labeled
by gold through the run's noise; members go on from their weights for ``epochs`` passes over all
labels.
Deviations: the paper trains the model from its start each time, and its labels grow rarer along the
run. Scores are recentered and scaled under the initial policy after every refit. The proxy that
results are reported by, and that best-of-n selects by, is the one before the run, as for any
system. How many labels a run asks for follows from its length, and is not part of its budget.
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
    epochs: int = param(1, help="passes over old and new labels at each refit", at_least=1)


def refit(config: Config) -> Refit:
    """When members are trained again, and on how much.

    Args:
        config: every, pairs, epochs.

    Reference:
        Fine-Tuning Language Models from Human Preferences, https://arxiv.org/abs/1909.08593
    """
    return Refit(config.every, config.pairs, config.epochs)
