from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.testing import assert_close

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading
from overopt.proxies.moe import Config, Mixture, Outputs, loss, make_head

PAIRS, WIDTH = 6, 4


def head(categories: int, experts: int, seed: int = 0) -> Mixture:
    torch.manual_seed(seed)
    made = make_head(Config(rank=2), HeadShape(WIDTH, {"category": categories, "terms": experts}))
    torch.nn.init.normal_(made.up_GKDR)
    return made


def batch(
    made: Mixture, category_P: list[int], term_PK: Tensor, seed: int = 1
) -> tuple[ReadBatch, Tensor]:
    """Comparisons as the head reads random states, which are leaves (2, P, D)."""
    generator = torch.Generator().manual_seed(seed)
    state_2PD = torch.randn(2, PAIRS, WIDTH, generator=generator).requires_grad_()
    prompt_PD = torch.randn(PAIRS, WIDTH, generator=generator)
    output_2PC = [made(HeadStates(side_PD, prompt_PD)) for side_PD in state_2PD]
    labels = {"category": torch.tensor(category_P), "terms": term_PK}
    readings = [Reading(output_PC) for output_PC in output_2PC]
    rewards = [output_PC[:, 0] for output_PC in output_2PC]
    return ReadBatch(rewards[0], rewards[1], readings[0], readings[1], labels), state_2PD


@pytest.mark.parametrize(("second", "expected"), [(-1.0, 3.0), (-4.0, -1.5)])
def test_a_mixture_by_hand(second: float, expected: float) -> None:
    """Experts 2 and -1 add up to 1, times 3; 2 and -4 to -2, which PReLU makes -1/2, times 3."""
    made = Mixture(width=1, categories=1, experts=2, rank=1)
    with torch.no_grad():
        made.down_GKRD.fill_(1.0)
        # h = 1: z = 1 + up
        made.up_GKDR.copy_(torch.tensor([1.0, second - 1.0]).view(1, 2, 1, 1))
        made.mix_GDC.fill_(1.0)
        made.last_GD.fill_(3.0)
    output_BC = made(HeadStates(torch.ones(1, 1), torch.zeros(1, 1)))
    assert output_BC[0, 0].item() == pytest.approx(expected)


def test_the_router_sends_a_prompt_to_its_likeliest_category() -> None:
    made = head(categories=3, experts=2)
    with torch.no_grad():
        made.router.weight.zero_()
        made.router.bias.copy_(torch.tensor([0.2, 0.9, 0.1]))
    output_BC = made(HeadStates(torch.randn(5, WIDTH), torch.randn(5, WIDTH)))
    assert_close(output_BC[:, 0], Outputs(output_BC, 2).reward_PG[:, 1])


def test_one_category_teaches_the_trunk_what_a_single_reward_model_learns() -> None:
    """Router and experts are silent, and the trunk's gradient is that of Bradley-Terry on v h."""
    made = head(categories=1, experts=2)
    given, state_2PD = batch(made, [0] * PAIRS, torch.zeros(PAIRS, 2))
    (slope,) = torch.autograd.grad(loss(Config(), given).sum(), state_2PD)
    base = (state_2PD[0] - state_2PD[1]) @ made.base_GD[0]
    (expected,) = torch.autograd.grad(-logsigmoid(base).sum(), state_2PD)
    assert_close(slope, expected)
    mixed_P = given.chosen_P - given.rejected_P
    assert_close(loss(Config(), given), -logsigmoid(base) - logsigmoid(mixed_P))


def test_one_expert_under_an_identity_is_that_expert() -> None:
    made = head(categories=1, experts=1)
    with torch.no_grad():
        made.mix_GDC.copy_(torch.eye(WIDTH)[None])
        made.slope_G.fill_(1.0)
        made.last_GD.copy_(made.expert_GKD[:, 0])
    output_BC = made(HeadStates(torch.randn(5, WIDTH), torch.randn(5, WIDTH)))
    assert_close(output_BC[:, 0], Outputs(output_BC, 1).expert_PGK[:, 0, 0])


def test_losses_of_the_true_category_by_hand() -> None:
    made = head(categories=3, experts=2)
    term_PK = torch.tensor(
        [[1.0, -1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0], [-1.0, 0.0], [1.0, 0.0]]
    )
    category_P = [0, 1, 2, 2, 1, 0]
    given, _ = batch(made, category_P, term_PK)
    config = Config(expert_weight=0.5, router_weight=0.25, l1=2.0)
    found_P = loss(config, given)
    sides: list[Any] = []
    for side in (given.chosen, given.rejected):
        assert side.output_PC is not None
        sides.append(Outputs(side.output_PC, 2))
    for pair, category in enumerate(category_P):
        base, mixed = (
            (getattr(sides[0], name) - getattr(sides[1], name))[pair, category]
            for name in ("base_PG", "reward_PG")
        )
        expert_K = (sides[0].expert_PGK - sides[1].expert_PGK)[pair, category]
        told = sum(
            -logsigmoid(term * expert) if term else 0.0
            for term, expert in zip(term_PK[pair].tolist(), expert_K, strict=True)
        )
        expected = -logsigmoid(base) - logsigmoid(mixed) + 0.5 * told / 2
        expected = expected - 0.25 * torch.log_softmax(sides[0].logits_PG[pair], 0)[category]
        expected = expected + 2.0 * made.mix_GDC[category].abs().mean()
        assert found_P[pair].item() == pytest.approx(expected.item(), abs=1e-5)


def test_each_phase_learns_from_its_own_labels() -> None:
    """Experts have no gradient from overall labels, nor the mixture from those of capabilities."""
    made = head(categories=2, experts=2)
    silent, _ = batch(made, [0, 1] * 3, torch.zeros(PAIRS, 2))
    torch.autograd.backward(loss(Config(router_weight=0.0), silent).sum())
    assert made.up_GKDR.grad is not None and not made.up_GKDR.grad.any()
    assert made.mix_GDC.grad is not None and made.mix_GDC.grad.any()
    made.zero_grad()
    told, states = batch(made, [0, 1] * 3, torch.ones(PAIRS, 2))
    before, after = loss(Config(expert_weight=0.0), told), loss(Config(), told)
    torch.autograd.backward((after - before).sum())
    for name, value in made.named_parameters():
        learns = value.grad is not None and bool(value.grad.abs().max() > 1e-6)
        assert learns == (name in ("up_GKDR", "down_GKRD", "expert_GKD")), name
    assert states.grad is None or not states.grad.abs().max() > 1e-6
