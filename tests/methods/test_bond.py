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


BEST = {2: [0.25, 0.39, 0.36], 4: [0.0625, 0.3471, 0.5904]}


def all_draws(samples: int) -> tuple[Tensor, Tensor]:
    """Every draw of so many responses, (B, M), and its probability under the initial policy."""
    drawn_BM = torch.cartesian_prod(*[torch.arange(3)] * samples)
    return drawn_BM, REFERENCE_R[drawn_BM].prod(-1)


@pytest.mark.parametrize(("n", "samples"), [(2, 2), (2, 5), (4, 4), (4, 6)])
def test_shares_of_fresh_draws_are_best_of_n_in_the_mean(n: int, samples: int) -> None:
    drawn_BM, chance_B = all_draws(samples)
    share_BM = bond.best_of_n_share(REWARD_R[drawn_BM], n)
    assert torch.allclose(share_BM.sum(-1), torch.ones_like(chance_B))
    found = torch.zeros(3, dtype=torch.float64)
    found.index_add_(0, drawn_BM.flatten(), (share_BM * chance_B[:, None]).flatten())
    assert found.tolist() == pytest.approx(BEST[n], abs=5e-5)


def test_shares_by_hand() -> None:
    """Two of four: the best is the k-th in k of 6 pairs."""
    share = bond.best_of_n_share(torch.tensor([[0.0, 1.0, 2.0, 3.0]]), 2)
    assert share[0].tolist() == pytest.approx([0, 1 / 6, 1 / 3, 1 / 2], abs=1e-6)


@pytest.mark.parametrize(("n", "drawn"), [(2, 16), (32, 32)])
def test_best_of_n_has_its_n_samples(n: int, drawn: int) -> None:
    assert bond.training(bond.Config(n=n)).opponents == drawn


@pytest.mark.parametrize("backward_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [2, 4])
def test_it_comes_to_rest_at_best_of_n(n: int, backward_share: float) -> None:
    """Own samples in their proportions, F exact, likelihood over every draw of n samples."""
    drawn_BM, chance_B = all_draws(n)
    backward = bond.Config(n=n, backward_share=1.0, ties=True)
    forward = bond.Config(n=n, backward_share=0.0, ties=True)

    def gradient(logits_R: Tensor) -> Tensor:
        logits_R = logits_R.clone().requires_grad_()
        logp_R = torch.log_softmax(logits_R, -1)
        own_N = bond.loss(backward, step_of(logits_R, backward))[0]
        nothing_BM = torch.zeros_like(drawn_BM, dtype=torch.float64)
        others = Reading(
            logp_R[drawn_BM][..., None],
            REFERENCE_R.log()[drawn_BM][..., None],
            torch.ones_like(nothing_BM)[..., None],
        )
        fixed = others.map(Tensor.detach)
        drawn = Rollout(REWARD_R[drawn_BM], fixed)
        rollout = Rollout(nothing_BM, fixed, opponents=drawn)
        likelihood_BM = bond.loss(forward, RolloutStep(rollout, fixed, nothing_BM, others))
        loss = backward_share * (torch.softmax(logits_R.detach(), -1) * own_N[:3]).sum()
        loss = loss + (1 - backward_share) * (chance_B * likelihood_BM.mean(-1)).sum()
        (found,) = torch.autograd.grad(loss, logits_R)
        return found

    found_R = table.ascend(gradient, 0.1, 400, REFERENCE_R.log()).exp()
    assert found_R.tolist() == pytest.approx(BEST[n], abs=5e-5)


def test_monotone_rewards_change_nothing() -> None:
    config = bond.Config(n=4)
    rollout = step_of(REFERENCE_R.log(), config).rollout
    assert rollout.opponents is not None
    bent = rollout._replace(
        reward_BN=rollout.reward_BN.exp(),
        opponents=rollout.opponents._replace(reward_BN=rollout.opponents.reward_BN.exp()),
    )
    assert torch.equal(bond.advantages(config, bent), bond.advantages(config, rollout))
