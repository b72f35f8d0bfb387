"""Online IPO: the IPO loss on pairs of the policy's own fresh samples.

Paper: Calandriello et al. 2024, "Human Alignment of Large Language Models through Online Preference
Optimisation" (https://arxiv.org/abs/2403.08635): for y and y' of the policy, without gradient
through the sampling, w the better and l the worse by a preference model,
    L = ( h_w - h_l - 1/(2 tau) )^2,   h = log( pi / pi_ref )
(equation number not verified). On samples of a fixed policy mu its optimum is pi_ref exp( P mu /
tau )/Z; so it rests at the Nash policy of the game under a KL penalty tau, as self-play does.
Checked against both on a cycle of preferences, and against TRL's "ipo" per token.
Deviations: P is the proxy's, and by default both orders of a pair are weighted by it, which is the
mean over drawn labels; with ``soft_labels`` off the better one wins for sure, and two equal ones
make no pair. Each of a prompt's N samples meets a further one. One step is taken on each rollout.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.squares import expected_square
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("tau", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("mixture_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of online IPO."""

    tau: float = param(0.1, help="KL penalty", unit="1/nats", above=0.0)
    soft_labels: bool = param(True, help="weight both orders of a pair by the preference")


def mixture(config: Config) -> float:
    """The opponents are the policy's own: none of the initial policy is in them."""
    return 0.0


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Each sample beside a further one, with the chance that it is the better one.

    Args:
        config: soft_labels.
        rollout: preferences (B, N, N) over further samples of the same policy.

    Returns:
        Rows, shape (P,) each, P <= B N, and the chances.

    Reference:
        Human Alignment of Large Language Models through Online Preference Optimisation,
        https://arxiv.org/abs/2403.08635
    """
    wins_P = rollout.preference_BNN.diagonal(dim1=1, dim2=2).flatten()
    pairs = RowPairs(rollout.row_BN.flatten(), rollout.opponent_row_BM.flatten(), wins_P)
    if config.soft_labels:
        return pairs
    kept_P = wins_P != 0.5
    return RowPairs(
        pairs.chosen_P[kept_P], pairs.rejected_P[kept_P], (wins_P[kept_P] > 0.5).to(wins_P)
    )


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """Expected squared error of each pair's margin, in nats squared, shape (B,).

    Args:
        config: tau, per nat.
        batch: B pairs of per-token log-probabilities, nats, (B, T), with labels (B,).

    Reference:
        Human Alignment of Large Language Models through Online Preference Optimisation,
        https://arxiv.org/abs/2403.08635
    """
    return expected_square(batch, config.tau)
