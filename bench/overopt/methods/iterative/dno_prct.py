"""DNO-Prct: rounds of contrastive loss on pairs of fresh samples with a large margin.

Paper: Rosset et al. 2024, "Direct Nash Optimization: Teaching Language Models to Self-Improve with
General Preferences" (https://arxiv.org/abs/2404.03715), algorithm 2, eq. 13, for pi_t the policy at
the round's start:
    L = -log sigmoid( beta log( pi(y+)/pi_t(y+) ) - beta log( pi(y-)/pi_t(y-) ) )
on pairs whose better answer is good, and whose worse one is clearly worse. Scores of 0 to 6 by a
judge say so in the paper: at least 5, and at least 2 less (1 where both are the student's own).
Checked against TRL's loss of DPO, of which it is the form with pi_t as the reference. The authors'
code is not public.
Deviations: the proxy scores, in SDs of the initial policy: ``floor`` and ``margin`` are ours, not
translations. A pair is of each prompt's best and worst sample, where the paper takes all that pass;
no teacher's answers, and no pairs of earlier rounds. The last policy is read, not the best one by
validation. A round is one rollout, of four steps (2 epochs, 2 minibatches) as in iter-dpo: at its
first step the margin is 0, where beta is only a factor of the gradient, which Adam removes.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.pairing import best_and_worst
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("beta", low=0.1, high=100.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("sampled_logp",)


@dataclass(frozen=True)
class Config:
    """Settings of DNO-Prct."""

    beta: float = param(0.1, help="pull toward the round's first policy", unit="1/nats", above=0.0)
    floor: float = param(0.0, help="lowest reward of a better answer", unit="SDs")
    margin: float = param(
        1.0, help="least difference of the rewards of a pair", unit="SDs", at_least=0.0
    )
    epochs: int = param(2, help="passes over a round's pairs", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Best and worst sample of each prompt where the best is good and the worst clearly worse.

    Args:
        config: floor, margin.
        rollout: rewards (B, N).

    Returns:
        Rows b N + n, shape (P,) each, P <= B.

    Reference:
        Direct Nash Optimization, algorithm 2, https://arxiv.org/abs/2404.03715
    """
    chosen_P, rejected_P = best_and_worst(rollout.reward_BN)[:2]
    reward_R = rollout.reward_BN.flatten()
    better_P, worse_P = reward_R[chosen_P], reward_R[rejected_P]
    kept_P = (better_P >= config.floor) & (better_P - worse_P >= config.margin)
    return RowPairs(chosen_P[kept_P], rejected_P[kept_P])


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """-log sigmoid of beta times the difference of both log-ratios over pi_t, nats, (B,).

    Args:
        config: beta, per nat.
        batch: B pairs of per-token log-probabilities, nats, (B, T).

    Reference:
        Direct Nash Optimization, eq. 13, https://arxiv.org/abs/2404.03715
    """
    margin_B = batch.chosen.sampled_log_ratio - batch.rejected.sampled_log_ratio
    return -logsigmoid(config.beta * margin_B)
