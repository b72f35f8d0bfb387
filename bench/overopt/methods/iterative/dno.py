"""DNO: regress, round after round, onto win rates against the round's own policy.

Paper: Rosset et al. 2024, "Direct Nash Optimization: Teaching Language Models to Self-Improve with
General Preferences" (https://arxiv.org/abs/2404.03715), algorithm 1, eq. 8: on pairs of pi_t's
samples, with r_t(y) = E_{y' ~ pi_t} P(y beats y'), the soft label p = sigmoid( r_t(y1) - r_t(y2) )
    L = -p log sigmoid(m) - (1 - p) log sigmoid(-m)
    m = eta log( pi(y1)/pi_t(y1) ) - eta log( pi(y2)/pi_t(y2) )
whose exact round is pi_{t+1} ~ pi_t exp( r_t / eta ) (eq. 9). Nothing holds it to the initial
policy: on a cycle of preferences the average over rounds goes to the Nash policy while the last
round orbits it, and where preferences are transitive it climbs on. Dno-prct is the practical form.
Deviations: a round is one rollout, P is the proxy's over as many further samples of pi_t as the
task draws, and samples are paired as they come. No teacher's answers, and the last policy is read,
not the average of all. The authors' code is not public; checked are eq. 9 and numbers by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training, given
from overopt.methods.math.neighbors import neighbors
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("eta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("sampled_logp", "mixture_samples")


@dataclass(frozen=True)
class Config:
    """Settings of DNO."""

    eta: float = param(0.1, help="pull toward the round's first policy", unit="1/nats", above=0.0)
    epochs: int = param(2, help="passes over a round's pairs", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def mixture(config: Config) -> float:
    """The opponents are the policy's own: none of the initial policy is in them."""
    return 0.0


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Neighboring samples of each prompt, with the soft label of their win rates.

    Args:
        config: unused here.
        rollout: preferences (B, N, N) over further samples of the same policy.

    Returns:
        Rows b N + n, shape (P,) each, P = B (N // 2), and the labels p.

    Reference:
        Direct Nash Optimization, eq. 8, https://arxiv.org/abs/2404.03715
    """
    first_P, second_P = neighbors(rollout.row_BN)
    wins_R = rollout.preference_BNN.mean(-1).flatten()
    return RowPairs(first_P, second_P, torch.sigmoid(wins_R[first_P] - wins_R[second_P]))


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """Cross-entropy of each pair's soft label, in nats, shape (B,).

    Args:
        config: eta, per nat.
        batch: B pairs of per-token log-probabilities, nats, (B, T), with labels p (B,).

    Reference:
        Direct Nash Optimization, eq. 8, https://arxiv.org/abs/2404.03715
    """
    label_B = given(batch.chosen.label, "a label")
    margin_B = batch.chosen.sampled_log_ratio - batch.rejected.sampled_log_ratio
    margin_B = config.eta * margin_B
    return -label_B * logsigmoid(margin_B) - (1 - label_B) * logsigmoid(-margin_B)
