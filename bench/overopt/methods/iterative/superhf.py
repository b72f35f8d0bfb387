"""SuperHF: sample, keep what the proxy likes best, learn it by likelihood under a KL prior, repeat.

Paper: Mukobi et al. 2023, "SuperHF: Supervised Iterative Learning from Human Feedback"
(https://arxiv.org/abs/2310.16763): of S samples for each prompt the K with the highest proxy score
are kept, and
    L = -log pi(y|x) + c KL(pi_0(.|x) || pi(.|x))
is descended on them before new samples are drawn (equation number not verified).
Checked against the authors' released code: cross-entropy on the kept completions plus c times the
Kullback-Leibler divergence from the initial to the trained model, over the vocabulary at every
position of the kept completion; S and K are chosen per prompt.
Deviations: both terms are summed over the response's tokens, so that long responses count in
proportion. In the code cross-entropy is a mean over the minibatch's tokens, and KL the mean over
each row's tokens, no less than 0, summed over rows: c means the same for minibatches of one row,
and of m rows m times as much there. S is the task's number of samples per prompt and one gradient
step is taken on each round's kept samples, so that the walk along KL is smooth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("kl_weight", low=0.003, high=30.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("forward_kl",)


@dataclass(frozen=True)
class Config:
    """Settings of SuperHF."""

    kl_weight: float = param(0.1, help="c, weight of the KL prior", at_least=0.0)
    keep: int = param(1, help="K, samples kept of each prompt", unit="samples", at_least=1)


def build(config: Config, rollout: Rollout) -> KeptRows:
    """The K samples of each prompt with the highest reward; samples come in random order.

    Args:
        config: keep, K.
        rollout: rewards (B, N), N >= K.

    Returns:
        Rows b N + n, shape (B K,).

    Raises:
        ValueError: if K is more than N.

    Reference:
        SuperHF, https://arxiv.org/abs/2310.16763
    """
    prompts, samples = rollout.reward_BN.shape
    if config.keep > samples:
        raise ValueError(f"keep = {config.keep} of {samples} samples per prompt; keep fewer")
    best_BK = rollout.reward_BN.topk(config.keep, dim=-1).indices
    return KeptRows((best_BK + samples * torch.arange(prompts)[:, None].to(best_BK)).flatten())


def loss(config: Config, batch: Reading) -> Tensor:
    """Cross-entropy plus c KL(pi_0 || pi) of each kept response, nats, summed over its tokens.

    Args:
        config: kl_weight c.
        batch: log-probabilities and forward KL, (B, T).

    Returns:
        Shape (B,).

    Reference:
        SuperHF, https://arxiv.org/abs/2310.16763
    """
    kl_BT = given(batch.forward_kl, "forward_kl")
    return (-batch.policy_logp + config.kl_weight * kl_BT).sum(-1)
