"""SPIN: self-play against the last round's policy, to be told apart from the data.

Paper: Chen et al. 2024, "Self-Play Fine-Tuning Converts Weak Language Models to Strong Language
Models" (https://arxiv.org/abs/2401.01335), eq. 4.7, for y of the data and y' of pi_t, the policy at
the round's start:
    L = l( lambda log( pi(y|x)/pi_t(y|x) ) - lambda log( pi(y'|x)/pi_t(y'|x) ) )
with l the logistic loss, or the hinge. An exact round is p_{t+1} ~ p_t (p_data/p_t)^(1/lambda) (its
theorem 5.4), so that a policy which already is the data's stays (theorem 5.2): a null test where
the initial policy was tuned on these texts. No proxy is used; it is measured only. Checked against
the paper and the authors' released code.
Deviations: a round is one rollout; each prompt's reference text is set against all of its samples.
The paper goes over the last round's samples once more, and raises lambda to 5 in its last round
(the released configurations keep .1). A larger lambda makes a round's move smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("strength", low=0.1, high=100.0, raises_kl=False)
USES_GOLD = "none"
READS_PROXY = False
INPUTS = ("sampled_logp", "demonstrations")


@dataclass(frozen=True)
class Config:
    """Settings of SPIN."""

    strength: float = param(
        0.1, help="lambda, pull toward the round's first policy", unit="1/nats", above=0.0
    )
    loss_function: str = param("logistic", help="l", one_of=("logistic", "hinge"))
    epochs: int = param(2, help="passes over a round's pairs", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Each prompt's reference text over each of its samples; rewards are not looked at.

    Args:
        config: unused here.
        rollout: samples (B, N) and reference texts (B,).

    Returns:
        Rows of B N pairs.

    Reference:
        Self-Play Fine-Tuning, eq. 4.7, https://arxiv.org/abs/2401.01335
    """
    shown_BN = rollout.demonstration_row_B[:, None].expand_as(rollout.row_BN)
    return RowPairs(shown_BN.flatten(), rollout.row_BN.flatten())


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """l of lambda times the difference of both log-ratios over the round's first policy, (B,).

    Args:
        config: lambda, per nat; loss_function.
        batch: B pairs of per-token log-probabilities, nats, (B, T).

    Reference:
        Self-Play Fine-Tuning, eq. 4.7, https://arxiv.org/abs/2401.01335
    """
    margin_B = batch.chosen.sampled_log_ratio - batch.rejected.sampled_log_ratio
    if config.loss_function == "hinge":
        return (1 - config.strength * margin_B).clamp(min=0)
    return -logsigmoid(config.strength * margin_B)
