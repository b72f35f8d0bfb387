"""What a response wins against others, for methods that take a preference as a game."""

from __future__ import annotations

from torch import Tensor

from overopt.methods.contract.samples import Rollout


def penalized_wins(rollout: Rollout, tau: float) -> Tensor:
    """P(y beats an opponent) - 1/2 - tau log(pi / pi_ref) of each response, shape (B, N).

    P is a mean over all of the prompt's opponents. Along its expected gradient a policy comes to
    rest at pi_ref exp(P(y beats an opponent) / tau) / Z.

    Args:
        rollout: preferences over the opponents (B, N, M), log-probabilities (B, N, T).
        tau: penalty, per nat.

    Reference:
        Nash Learning from Human Feedback, https://arxiv.org/abs/2312.00886
    """
    return rollout.preference_BNN.mean(-1) - 0.5 - tau * rollout.sampled.log_ratio
