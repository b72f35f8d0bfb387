"""What a policy says of whole responses: log-likelihoods, in total and per token.

Papers on preference pairs differ in whether they add log-probabilities up over a response or
average them, and a loss says which by the function that it calls.
"""

from __future__ import annotations

from torch import Tensor

from overopt.methods.contract.reading import Reading


def tokens(reading: Reading) -> Tensor:
    """Tokens of each response, EOS included, shape (...)."""
    return reading.mask.sum(-1)


def log_likelihood(reading: Reading) -> Tensor:
    """log pi(y|x) of each response, summed over its tokens, nats, shape (...)."""
    return (reading.policy_logp * reading.mask).sum(-1)


def mean_log_likelihood(reading: Reading) -> Tensor:
    """log pi(y|x) / |y| of each response, nats per token, shape (...)."""
    return log_likelihood(reading) / tokens(reading)


def mean_log_ratio(reading: Reading) -> Tensor:
    """log(pi / pi_ref) / |y| of each response, nats per token, shape (...)."""
    return reading.log_ratio / tokens(reading)
