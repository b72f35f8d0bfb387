from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import bond
from tabular_optima import table

REFERENCE_R = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
REWARD_R = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
DRAWN_N = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
"""Ten samples of the initial policy in its exact proportions."""
OWN_N = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])


def step_of(logits_R: Tensor, config: bond.Config) -> RolloutStep:
    """The policy's samples hold every response; the first three rows are one of each."""
    logp_R, reference_R = torch.log_softmax(logits_R, -1), REFERENCE_R.log()
    mask = torch.ones(1, 10, 1, dtype=torch.float64)

    def read(row_N: Tensor) -> Reading:
        return Reading(logp_R[row_N][None, :, None], reference_R[row_N][None, :, None], mask)

    others = Rollout(REWARD_R[DRAWN_N][None], read(DRAWN_N).map(Tensor.detach))
    own = read(OWN_N).map(Tensor.detach)
    rollout = Rollout(REWARD_R[OWN_N][None], own, opponents=others)
    return RolloutStep(rollout, read(OWN_N), bond.advantages(config, rollout), read(DRAWN_N))


def test_rewards_by_hand() -> None:
    """n = 2: log .5, log .8 + log(1 + .5/.8), log 1 + log(1 + .8/1)."""
    rollout = step_of(REFERENCE_R.log(), bond.Config(n=2)).rollout
    exact = bond.log_best_of_n(rollout, 2, ties=True)[0, :3]
    assert exact.tolist() == pytest.approx([-0.6931, 0.2624, 0.5878], abs=5e-5)
    plain = bond.log_best_of_n(rollout, 2, ties=False)[0, :3]
    assert plain.tolist() == pytest.approx([-0.6931, -0.2231, 0.0], abs=5e-5)


def test_a_response_below_all_is_counted_as_one_in_eleven() -> None:
    rollout = step_of(REFERENCE_R.log(), bond.Config(n=2)).rollout
    worst = rollout._replace(reward_BN=rollout.reward_BN - 5)
    assert bond.log_best_of_n(worst, 2, False)[0, 0].exp().item() == pytest.approx(1 / 11)


@pytest.mark.parametrize(("n", "best"), [(2, [0.25, 0.39, 0.36]), (4, [0.0625, 0.3471, 0.5904])])
def test_shares_of_best_of_n(n: int, best: list[float]) -> None:
    share_N = bond.best_of_n_share(REWARD_R[DRAWN_N][None], n)[0]
    found = torch.zeros(3, dtype=torch.float64).index_add(0, DRAWN_N, share_N)
    assert found.tolist() == pytest.approx(best, abs=5e-5)


@pytest.mark.parametrize("backward_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [2, 4])
def test_it_comes_to_rest_at_best_of_n(n: int, backward_share: float) -> None:
    config = bond.Config(n=n, backward_share=backward_share, ties=True)

    def gradient(logits_R: Tensor) -> Tensor:
        logits_R = logits_R.clone().requires_grad_()
        loss_N = bond.loss(config, step_of(logits_R, config))[0]
        policy_R = torch.softmax(logits_R.detach(), -1)
        # own samples in their proportions, those of the initial policy as they are
        both = bond.Config(n=n, backward_share=1.0, ties=True)
        own_N = bond.loss(both, step_of(logits_R, both))[0]
        forward = (loss_N - backward_share * own_N).mean()
        loss = backward_share * (policy_R * own_N[:3]).sum() + forward
        (found,) = torch.autograd.grad(loss, logits_R)
        return found

    expected_R = torch.softmax(
        REFERENCE_R.log() + bond.log_best_of_n(step_of(REFERENCE_R.log(), config).rollout, n, True)
        [0, :3], -1,
    )  # fmt: skip
    found_R = table.ascend(gradient, 0.1, 400, REFERENCE_R.log()).exp()
    assert torch.allclose(found_R, expected_R, atol=1e-6)
    assert found_R.tolist() == pytest.approx(
        {2: [0.25, 0.39, 0.36], 4: [0.0625, 0.3471, 0.5904]}[n], abs=5e-5
    )


def test_monotone_rewards_change_nothing() -> None:
    config = bond.Config(n=4)
    rollout = step_of(REFERENCE_R.log(), config).rollout
    assert rollout.opponents is not None
    bent = rollout._replace(
        reward_BN=rollout.reward_BN.exp(),
        opponents=rollout.opponents._replace(reward_BN=rollout.opponents.reward_BN.exp()),
    )
    assert torch.equal(bond.advantages(config, bent), bond.advantages(config, rollout))
