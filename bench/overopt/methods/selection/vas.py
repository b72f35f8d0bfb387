"""Value-augmented sampling: values of prefixes under the initial policy, added to its logits.

Paper: Han et al. 2024, "Value Augmented Sampling for Language Model Alignment and Personalization"
(https://arxiv.org/abs/2405.06639); formulas from the authors' code, equation numbers not verified.
V learns, on samples of the frozen policy, the TD(lambda) return of each prefix, discount 1, reward
at the last token only:
    L = 1/2 mean over tokens of (V_t - G_t)^2,   G_t = V_t + sum_l lambda^l delta_{t+l}
    logit'(v) = logit(v) + beta (V(prefix + v) - mean of V over the k likeliest tokens)
for these k; other tokens keep their logits. beta multiplies: more of it means more KL.
Where a response is one token, V exact and k the vocabulary, the policy is the optimum under a KL
penalty of 1 / beta. V is the mean reward of what the initial policy would go on with, not the soft
value log E exp(beta r) / beta, so that over several tokens it is another policy than the tilt.
Deviations: V is a copy of the initial policy with an output for each next token, 0 at first, not a
model with one output that reads each of the k (and the 20 likeliest are nearly all that there are
in the generated worlds); it learns the prefix behind the last token too, which the authors' code
masks though decoding reads it. Steps, batches and the base of the learning rate are the task's for
online methods; the paper has batches of 32 and a rate of 1.41e-5. r is in SDs of the initial
policy.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.composition import Composition
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Valued
from overopt.methods.math.estimators import generalized_advantages, last_token
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("beta", low=0.01, high=1000.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of value-augmented sampling."""

    top_k: int = param(
        20, help="likeliest tokens that values are added to; 0 for all", unit="tokens", at_least=0
    )
    td_lambda: float = param(0.95, help="decay of the return's terms", at_least=0.0, at_most=1.0)
    epochs: int = param(2, help="passes over each batch of samples", at_least=1)
    value_rate: float = param(10.0, help="learning rate of V over the task's", above=0.0)


def training(config: Config) -> Training:
    """Passes over each batch, and V's relative learning rate."""
    return Training(epochs=config.epochs, module_rate=config.value_rate)


def value_targets(config: Config, valued: Valued) -> Tensor:
    """TD(lambda) return of each token, in SDs of the reward, (R, T).

    Args:
        config: td_lambda.
        valued: values and rewards of responses of the initial policy.

    Reference:
        Value Augmented Sampling, https://arxiv.org/abs/2405.06639; from the authors' code
    """
    reward_RT = valued.reward_R[:, None] * last_token(valued.mask_RT)
    advantage_RT = generalized_advantages(
        reward_RT, valued.value_RT, valued.mask_RT, 1.0, config.td_lambda
    )
    return advantage_RT + valued.value_RT * valued.mask_RT


def value_loss(config: Config, value_RT: Tensor, target_RT: Tensor) -> Tensor:
    """Half the squared error of each token, in squared SDs of the reward, (R, T)."""
    return 0.5 * (value_RT - target_RT).square()


def compose(config: Config, knob: float) -> Composition:
    """The initial policy's logits and beta times V of the likeliest tokens, centered.

    Args:
        config: top_k.
        knob: beta, 1 / SDs of the reward; 0 is the initial policy.

    Reference:
        Value Augmented Sampling, https://arxiv.org/abs/2405.06639; from the authors' code
    """
    return Composition(initial=1.0, value=knob, top_k=config.top_k)
