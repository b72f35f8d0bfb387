"""KL from the initial policy as a penalty: four estimators, in the reward or in the loss.

What an estimate of KL is worth and what its gradient is worth are two questions. For d_t =
log(pi/pi_ref) of token t, every term below is an estimate of the step's KL, and all but k2 have the
right mean:
    k1 = d_t,   k2 = d_t^2 / 2 (biased in value),   k3 = exp(-d_t) + d_t - 1,
    rb = sum over v of pi(v) (log pi(v) - log pi_ref(v))
In the reward a term is a number that multiplies the score function. In the loss its gradient is
taken, and the probability of having come there is either forgotten (``none``), or carried along by
a ratio pi / pi_sampled that is 1 in value and not in gradient: of the token alone (``token``, the
correction of DeepSeek-V3.2), or of the whole prefix (``prefix``). Over responses y ~ pi,
    grad KL(pi || pi_ref) = E[ k1(y) grad log pi(y) ]              in the reward, k1, exact
                          = E[ grad sum_t w_t k_t ]                in the loss, ratio of the prefix
the latter for k1, k3 and rb, and not for k2, whose mean is another. All others leave something out:
k1 in the loss, ``none``, has gradient 0 on average; k3 in the loss, ``none``, that of the forward
KL step by step; ``token`` and ``rb`` with ``none`` that of each step's own KL, but not of how the
policy's choices lead to later steps. k2 in the loss, ``none``, equals k1 in the reward for
responses of one token, and over several only step by step.

References:
    Schulman, "Approximating KL Divergence", http://joschu.net/blog/kl-approx.html (the names k1 to
    k3). Liu et al., "Rethinking KL Regularization in RLHF: From Value Estimation to Gradient
    Optimization", https://arxiv.org/abs/2510.01555 (reward or loss; read in its abstract).
    DeepSeek-V3.2, https://arxiv.org/abs/2512.02556 (the token's ratio). Amini et al., "Better
    Estimation of the KL Divergence Between Language Models", https://arxiv.org/abs/2504.10637
    (rb). The statements above are checked by enumeration, in value and in gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.training import given

ESTIMATORS = ("k1", "k2", "k3", "rb")
RATIOS = ("none", "token", "prefix")


def kl_terms(reading: Reading, estimator: str) -> Tensor:
    """Each token's estimate of KL(pi || pi_ref), nats, (..., T), 0 on padding.

    Args:
        reading: with ``reverse_kl`` where the estimator is rb.
        estimator: one of ``ESTIMATORS``.
    """
    log_ratio = (reading.policy_logp - reading.reference_logp) * reading.mask
    if estimator == "k1":
        return log_ratio
    if estimator == "k2":
        return log_ratio.square() / 2
    if estimator == "k3":
        return torch.exp(-log_ratio) + log_ratio - 1
    return given(reading.reverse_kl, "reverse_kl") * reading.mask


def reward_penalty(sampled: Reading, estimator: str) -> Tensor:
    """The estimate of each response's KL, a sum over its tokens without gradient, nats, (...)."""
    return kl_terms(sampled, estimator).sum(-1).detach()


def loss_penalty(step: RolloutStep, estimator: str, ratio: str) -> Tensor:
    """The estimate of each response's KL with gradient, a sum over its tokens, nats, (B, N).

    Args:
        step: the responses now and as they were sampled.
        estimator: one of ``ESTIMATORS``.
        ratio: which probability ratio each token's term is multiplied by, one of ``RATIOS``. That
            of a prefix ends before a token whose own choice rb has averaged over.
    """
    now = step.now
    term_BNT = kl_terms(now, estimator)
    if ratio == "none":
        return term_BNT.sum(-1)
    moved_BNT = (now.policy_logp - step.rollout.sampled.policy_logp) * now.mask
    if ratio == "token":
        log_weight_BNT = torch.zeros_like(moved_BNT) if estimator == "rb" else moved_BNT
    else:
        log_weight_BNT = moved_BNT.cumsum(-1)
        if estimator == "rb":
            log_weight_BNT = log_weight_BNT - moved_BNT
    return (log_weight_BNT.exp() * term_BNT).sum(-1)
