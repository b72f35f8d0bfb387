from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import conditional

REFERENCE_R = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
REWARD_R = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)


def controlled(reward_BN: torch.Tensor, good_share: float) -> list[bool]:
    zero_BNT = torch.zeros(*reward_BN.shape, 1)
    rollout = Rollout(reward_BN, Reading(zero_BNT, zero_BNT, zero_BNT + 1))
    built = conditional.build(conditional.Config(good_share=good_share), rollout)
    assert built.row_K.tolist() == list(range(reward_BN.numel())) and built.control_K is not None
    found: list[bool] = built.control_K.tolist()
    return found


def test_the_poorer_share_of_a_round_is_controlled() -> None:
    rewards = torch.tensor([[1.0, 3.0], [2.0, 0.0]])
    assert controlled(rewards, 0.5) == [True, False, False, True]
    assert controlled(rewards, 0.01) == [True, False, True, True]
    assert controlled(rewards, 1.0) == [False] * 4
    assert controlled(torch.ones(2, 2), 0.25) == [False] * 4


def test_loss_by_hand() -> None:
    batch = Reading(
        torch.tensor([[-0.5, -1.0], [-2.0, -9.0]]),
        torch.zeros(2, 2),
        torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
    )
    assert conditional.loss(conditional.Config(), batch).tolist() == [1.5, 2.0]


def test_the_optimum_is_the_reference_among_the_good() -> None:
    """b and c are good: (0, .6, .4), at KL -log(.3 + .2) from the reference."""
    drawn_N = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)  # in their exact proportions
    bad_N = torch.tensor(controlled(REWARD_R[drawn_N][None], 0.5))
    logits_2R = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    optimizer: Any = torch.optim.LBFGS([logits_2R], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        logp_2R = torch.log_softmax(logits_2R, -1)
        logp_N = logp_2R[bad_N.long(), drawn_N][:, None]
        batch = Reading(logp_N, torch.zeros_like(logp_N), torch.ones_like(logp_N))
        loss: Any = conditional.loss(conditional.Config(), batch).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    good_R, bad_R = torch.softmax(logits_2R.detach(), -1)
    assert good_R.tolist() == pytest.approx([0.0, 0.6, 0.4], abs=1e-3)
    assert bad_R.tolist() == pytest.approx([1.0, 0.0, 0.0], abs=1e-3)
    among = good_R[1:]
    kl_nats = (among * (among / REFERENCE_R[1:]).log()).sum().item()
    assert kl_nats == pytest.approx(-math.log(0.5), abs=0.01)
