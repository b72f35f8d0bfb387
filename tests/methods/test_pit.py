from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import pit, rloo

from . import rollouts


def taken(
    config: pit.Config, reward: list[float], revised: list[float], ratio: list[float]
) -> tuple[RolloutStep, Tensor, Tensor]:
    """A step on answers and revisions of one token, with the leaves of both."""
    answers, others = rollouts.rollout(reward), rollouts.rollout(revised, ratio)
    seen = answers._replace(opponents=others)
    now = answers.sampled.policy_logp.clone().requires_grad_()
    then = others.sampled.policy_logp.clone().requires_grad_()
    step = RolloutStep(
        seen,
        answers.sampled._replace(policy_logp=now),
        pit.advantages(config, seen),
        others.sampled._replace(policy_logp=then),
    )
    return step, now, then


def test_slopes_by_hand() -> None:
    """Gaps 2 - 1.5 = .5 and 1 - 2.5 = -1.5; less .5 x (.2, -.2): .4 and -1.4, so A' = +-1.8.

    Answers: 1.5 and 2.5, A = -+1.
    """
    config = pit.Config(beta=0.5, share=0.25)
    step, now, then = taken(config, [1.5, 2.5], [2.0, 1.0], [0.2, -0.2])
    of_answers, of_revisions = torch.autograd.grad(pit.loss(config, step).sum(), (now, then))
    assert of_answers.flatten().tolist() == pytest.approx([0.75, -0.75])
    assert of_revisions.flatten().tolist() == pytest.approx([-0.45, 0.45])


def test_without_a_share_it_is_rloo() -> None:
    config = pit.Config(beta=0.3, share=0.0)
    step, now, then = taken(config, [1.0, 2.0, 4.0], [9.0, 0.0, 0.0], [0.1, 0.0, 0.0])
    base = rloo.Config(beta=0.3)
    assert torch.equal(step.advantage, rloo.advantages(base, step.rollout))
    assert torch.equal(pit.loss(config, step), rloo.loss(base, step))
    _, of_revisions = torch.autograd.grad(pit.loss(config, step).sum(), (now, then))
    assert not of_revisions.any()


@pytest.mark.parametrize("beta", [0.0, 0.4])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_reference_that_is_not_read_leaves_rloos_gradient(beta: float, share: float) -> None:
    """All draws of two answers and two revisions, enumerated, by a policy blind to the answers."""
    logits_R = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    config = pit.Config(beta=beta, share=share)
    free_R = logits_R.clone().requires_grad_()
    logp_R = torch.log_softmax(free_R, -1)
    drawn_B4 = torch.cartesian_prod(*[torch.arange(3)] * 4)
    chance_B = logp_R.detach()[drawn_B4].sum(-1).exp()

    def read(drawn_BN: Tensor) -> tuple[Rollout, Reading]:
        now_BNT = logp_R[drawn_BN].unsqueeze(-1)
        reference = rollouts.REFERENCE_R.log()[drawn_BN].unsqueeze(-1)
        now = Reading(now_BNT, reference, torch.ones_like(now_BNT))
        return Rollout(rollouts.REWARD_R[drawn_BN], now.map(Tensor.detach)), now

    (answers, now), (others, then) = read(drawn_B4[:, :2]), read(drawn_B4[:, 2:])
    seen = answers._replace(opponents=others)
    step = RolloutStep(seen, now, pit.advantages(config, seen), then)
    loss = (chance_B * pit.loss(config, step).mean(-1)).sum()
    (found_R,) = torch.autograd.grad(loss, free_R)
    expected_R = rollouts.expected_gradient(rloo, rloo.Config(beta=beta), logits_R)
    assert found_R.tolist() == pytest.approx(expected_R.tolist(), abs=1e-10)
    assert expected_R.abs().max() > 0.1
