import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import rloo


def rollout(reward_BN: Tensor, log_ratio_BN: Tensor) -> Rollout:
    """Responses of one token, whose whole log-ratio it carries."""
    sampled = Reading(
        policy_logp=log_ratio_BN.unsqueeze(-1) - 5.0,
        reference_logp=torch.full_like(log_ratio_BN, -5.0).unsqueeze(-1),
        mask=torch.ones_like(log_ratio_BN).unsqueeze(-1),
    )
    return Rollout(reward_BN, sampled)


def test_advantages_by_hand() -> None:
    # rewards 1, 2, 3, 6; the others' means are 11/3, 10/3, 9/3, 6/3
    reward_BN = torch.tensor([[1.0, 2.0, 3.0, 6.0]])
    advantage_BN = rloo.advantages(rloo.Config(), rollout(reward_BN, torch.zeros(1, 4)))
    assert advantage_BN[0].tolist() == pytest.approx([-8 / 3, -4 / 3, 0.0, 4.0], abs=1e-6)


def test_penalty_is_inside_the_reward() -> None:
    # R = r - 0.5 * (0, 2, 0, 4) = 1, 1, 3, 4; the others' means are 8/3, 8/3, 2, 5/3
    reward_BN = torch.tensor([[1.0, 2.0, 3.0, 6.0]])
    seen = rollout(reward_BN, torch.tensor([[0.0, 2.0, 0.0, 4.0]]))
    advantage_BN = rloo.advantages(rloo.Config(beta=0.5), seen)
    assert advantage_BN[0].tolist() == pytest.approx([-5 / 3, -5 / 3, 1.0, 7 / 3], abs=1e-6)


def test_padding_carries_no_penalty() -> None:
    seen = rollout(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 2.0]]))
    junk_BNT = torch.tensor([[[7.0], [9.0]]])
    padded = Reading(
        policy_logp=torch.cat([seen.sampled.policy_logp, junk_BNT], -1),
        reference_logp=torch.cat([seen.sampled.reference_logp, -junk_BNT], -1),
        mask=torch.cat([seen.sampled.mask, torch.zeros(1, 2, 1)], -1),
    )
    config = rloo.Config(beta=0.3)
    with_padding = rloo.advantages(config, seen._replace(sampled=padded))
    assert torch.equal(with_padding, rloo.advantages(config, seen))


def test_loss_by_hand() -> None:
    # log pi of the two responses: -1 - 2 = -3 and -0.5 (its second token is padding)
    logp_BNT = torch.tensor([[[-1.0, -2.0], [-0.5, -9.0]]], requires_grad=True)
    mask_BNT = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    now = Reading(logp_BNT, logp_BNT.detach(), mask_BNT)
    seen = Rollout(torch.zeros(1, 2), now.map(Tensor.detach))
    loss_BN = rloo.loss(rloo.Config(), RolloutStep(seen, now, torch.tensor([[2.0, -4.0]])))
    assert loss_BN[0].tolist() == pytest.approx([6.0, -2.0])
    (gradient_BNT,) = torch.autograd.grad(loss_BN.mean(), logp_BNT)
    assert gradient_BNT.tolist() == [[[-1.0, -1.0], [2.0, 0.0]]]


def test_one_sample_has_no_others() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        rloo.advantages(rloo.Config(), rollout(torch.zeros(2, 1), torch.zeros(2, 1)))


@pytest.mark.parametrize("beta", [0.0, 0.4])
def test_expected_gradient_is_that_of_the_objective(beta: float) -> None:
    """Over all pairs of 4 one-token responses: E[estimate] = grad(E[r] - beta KL), exactly."""
    reward_V = torch.tensor([0.3, -1.0, 2.0, 0.5], dtype=torch.float64)
    reference_V = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64).log()
    logits_V = torch.tensor([0.2, 0.9, -0.4, 0.1], dtype=torch.float64)

    def objective(logits: Tensor) -> Tensor:
        logp_V = torch.log_softmax(logits, -1)
        return (logp_V.exp() * (reward_V - beta * (logp_V - reference_V))).sum()

    steps = 1e-6 * torch.eye(4, dtype=torch.float64)
    true_V = torch.stack(
        [(objective(logits_V + h) - objective(logits_V - h)) / 2e-6 for h in steps]
    )

    first, second = torch.cartesian_prod(torch.arange(4), torch.arange(4)).unbind(-1)
    drawn_BN = torch.stack([first, second], -1)
    free_V = logits_V.clone().requires_grad_()
    logp_V = torch.log_softmax(free_V, -1)
    now_BNT = logp_V[drawn_BN].unsqueeze(-1)
    now = Reading(now_BNT, reference_V[drawn_BN].unsqueeze(-1), torch.ones_like(now_BNT))
    seen = Rollout(reward_V[drawn_BN], now.map(Tensor.detach))
    config = rloo.Config(beta=beta)
    step = RolloutStep(seen, now, rloo.advantages(config, seen))
    probability_B = logp_V.detach()[drawn_BN].sum(-1).exp()
    expected_loss = (rloo.loss(config, step).mean(-1) * probability_B).sum()
    (gradient_V,) = torch.autograd.grad(expected_loss, free_V)
    assert torch.allclose(-gradient_V, true_V, atol=1e-8)
