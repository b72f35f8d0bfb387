"""SPPO: regress each response's log-ratio onto its win rate against the round's own policy.

Paper: Wu et al. 2024, "Self-Play Preference Optimization for Language Model Alignment"
(https://arxiv.org/abs/2405.00675), eq. 4.7, for pi_t the policy at the round's start, and beta the
inverse of the paper's eta:
    L = ( log( pi(y|x)/pi_t(y|x) ) - ( P(y beats pi_t | x) - 1/2 ) / beta )^2
on the sample of the highest and that of the lowest win rate. It stands for the multiplicative step
pi_{t+1} ~ pi_t exp( P / beta ), whose log Z it takes to be 1/(2 beta), and comes near it as beta
grows. Nothing holds it to the initial policy. With ``responses`` hard, P is 1 and 0, which is TRL's
"sppo_hard" up to one half, against which it was checked, and "all" learns every sample.
Deviations: P is the proxy's, over as many further samples of pi_t as the task draws (the paper: a
pairwise ranker over 5 samples of each prompt themselves). A round is one rollout of the task's
size, not a third of all prompts. The default of beta is the paper's, whose targets are hundreds of
nats, so that one round never meets them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training, given
from overopt.methods.math.pairing import best_and_worst
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("sampled_logp", "mixture_samples")


@dataclass(frozen=True)
class Config:
    """Settings of SPPO."""

    beta: float = param(
        0.001, help="1 / eta, pull toward the round's first policy", unit="1/nats", above=0.0
    )
    responses: str = param(
        "extremes",
        help="which samples are learned, and from what",
        one_of=("extremes", "hard", "all"),
    )
    epochs: int = param(2, help="passes over a round's samples", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def mixture(config: Config) -> float:
    """The opponents are the policy's own: none of the initial policy is in them."""
    return 0.0


def build(config: Config, rollout: Rollout) -> KeptRows:
    """Samples with their win rates; of prompts where all are equal only with responses "all".

    Args:
        config: responses.
        rollout: preferences (B, N, N) over further samples of the same policy.

    Returns:
        Rows b N + n, the best ones first, and the win rates.

    Reference:
        Self-Play Preference Optimization, algorithm 1, https://arxiv.org/abs/2405.00675
    """
    wins_BN = rollout.preference_BNN.mean(-1)
    if config.responses == "all":
        return KeptRows(rollout.row_BN.flatten(), wins_BN.flatten())
    best_P, worst_P = best_and_worst(wins_BN)[:2]
    row_K = torch.cat([best_P, worst_P])
    if config.responses == "hard":
        wins_K = torch.cat([torch.ones_like(best_P), torch.zeros_like(worst_P)])
        return KeptRows(row_K, wins_K.to(wins_BN))
    return KeptRows(row_K, wins_BN.flatten()[row_K])


def loss(config: Config, batch: Reading) -> Tensor:
    """Squared error of each response's log-ratio over pi_t, in nats squared, shape (B,).

    Args:
        config: beta, per nat.
        batch: log-probabilities (B, T), win rates (B,).

    Reference:
        Self-Play Preference Optimization, eq. 4.7, https://arxiv.org/abs/2405.00675
    """
    wins_B = given(batch.weight, "weight_K of build")
    return (batch.sampled_log_ratio - (wins_B - 0.5) / config.beta) ** 2
