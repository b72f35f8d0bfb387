from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import spearmanr
from torch import Tensor
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import (
    HeadShape,
    HeadStates,
    ReadBatch,
    Reading,
    TrainedStates,
)
from overopt.proxies.multi_objective import (
    Config,
    Gated,
    fit_scale,
    loss,
    make_head,
    regress,
    settle,
    untie,
)

PAIRS, WIDTH = 60, 6


def head(attributes: int = 2, config: Config | None = None) -> Gated:
    torch.manual_seed(0)
    return make_head(config or Config(), HeadShape(WIDTH, {"ratings": attributes})).eval()


def trained(length_weight: float = 0.0) -> tuple[TrainedStates, Tensor]:
    """Comparisons whose ratings are linear in the states, the first one with length in it.

    Preferences are by the first rating where the prompt says so, else by the second.
    """
    generator = torch.Generator().manual_seed(1)
    state_P2D = torch.randn(PAIRS, 2, WIDTH, generator=generator)
    length_P2 = 10 + state_P2D[..., 5]
    first = state_P2D[..., 0] + length_weight * state_P2D[..., 5]
    rating_P2K = torch.stack([first, state_P2D[..., 1]], -1)
    prompt_PD = torch.zeros(PAIRS, WIDTH)
    prompt_PD[::2, 0] = 3.0
    prompt_PD[1::2, 1] = 3.0
    asked_P = torch.arange(PAIRS) % 2
    lead_PK = rating_P2K[:, 0] - rating_P2K[:, 1]
    worse_P = lead_PK[torch.arange(PAIRS), asked_P] < 0
    turned = worse_P[:, None]
    rating_P2K = torch.where(turned[..., None], rating_P2K.flip(1), rating_P2K)
    state_P2D = torch.where(turned[..., None], state_P2D.flip(1), state_P2D)
    length_P2 = torch.where(turned, length_P2.flip(1), length_P2)
    sides = [HeadStates(state_P2D[:, side], prompt_PD) for side in range(2)]
    labels = {"ratings": rating_P2K}
    return TrainedStates(sides[0], sides[1], length_P2[:, 0], length_P2[:, 1], labels), prompt_PD


def test_score_by_hand() -> None:
    """r' = (.74, .35), gate .5 and .3 of a scale of .8: .475."""
    made = head()
    with torch.no_grad():
        made.weight_KD.zero_()
        made.weight_KD[:, 0] = torch.tensor([0.74, 0.35])
        last = made.layers[-1]
        assert isinstance(last, torch.nn.Linear)
        last.weight.zero_()
        last.bias.copy_(10.0 * torch.tensor([0.5, 0.3]).log())
        made.scale.fill_(0.8)
        made.settled.fill_(1.0)
    states = HeadStates(torch.ones(3, WIDTH), torch.randn(3, WIDTH))
    assert made(states)[:, 0].tolist() == pytest.approx([0.475] * 3, abs=1e-6)


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (10.0, [0.367165, 0.332225, 0.300610]),
        (1.0, [0.665241, 0.244728, 0.090031]),
        (1e9, [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_gate_by_hand(temperature: float, expected: list[float]) -> None:
    made = head(3, Config(temperature=temperature))
    with torch.no_grad():
        last = made.layers[-1]
        assert isinstance(last, torch.nn.Linear)
        last.weight.zero_()
        last.bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
    assert made.gate(torch.randn(1, WIDTH))[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_regression_finds_a_linear_rating_and_shrinks_noise() -> None:
    torch.manual_seed(0)
    state_ND = torch.randn(100, 4, dtype=torch.float64)
    weight_D, bias = regress(state_ND, state_ND @ torch.tensor([1.0, -2.0, 0.0, 0.5]).double() + 3)
    assert_close(weight_D, torch.tensor([1.0, -2.0, 0.0, 0.5]).double(), atol=1e-4, rtol=0)
    assert bias.item() == pytest.approx(3.0, abs=1e-4)
    noise_D, _ = regress(state_ND, torch.randn(100, dtype=torch.float64))
    assert noise_D.norm().item() < 0.2


def test_verbosity_is_taken_off_until_ranks_are_free_of_it() -> None:
    torch.manual_seed(0)
    verbose_N, other_N = torch.randn(2, 400, dtype=torch.float64)
    rating_N = other_N + 2 * verbose_N
    share = untie(rating_N, verbose_N, 0.03)
    assert 1.7 < share < 2.1
    assert spearmanr(rating_N - share * verbose_N, verbose_N).statistic <= 0.03
    assert untie(rating_N, verbose_N, 1.0) == 0.0
    assert untie(-rating_N, verbose_N, 0.03) == 0.0
    # less itself nothing is left
    assert untie(verbose_N, verbose_N, 0.03) == pytest.approx(1.0, abs=0.011)
    assert untie(rating_N, torch.ones(400), 0.03) == 0.0


def test_before_it_is_settled_it_is_bradley_terry_on_the_base() -> None:
    made = head()
    data, _ = trained()
    outputs = [made(side) for side in (data.chosen, data.rejected)]
    assert_close(outputs[0][:, 0], made.base(data.chosen.last_BD).squeeze(1))
    readings = [Reading(output_PC) for output_PC in outputs]
    batch = ReadBatch(outputs[0][:, 0], outputs[1][:, 0], readings[0], readings[1])
    assert_close(loss(Config(), batch), bradley_terry_loss(batch.chosen_P, batch.rejected_P))


def test_the_gate_learns_what_the_prompt_asks_for() -> None:
    config = Config(temperature=1.0, dropout=0.0, learning_rate=0.01, steps=200, verbosity=1.0)
    made = head(config=config)
    data, prompt_PD = trained()
    settle(config, made, data)
    assert_close(made.weight_KD[0], torch.eye(WIDTH)[0], atol=0.01, rtol=0)
    weight_PK = made.gate(prompt_PD).detach()
    assert (weight_PK[::2, 0] > 5 * weight_PK[::2, 1]).all()
    assert (weight_PK[1::2, 1] > 2 * weight_PK[1::2, 0]).all()
    told_P = (made(data.chosen) - made(data.rejected))[:, 0]
    assert (told_P > 0).float().mean().item() > 0.95
    assert not made.training


def test_scale_by_hand() -> None:
    """Of margins of 1, three of four are right: sigmoid(s) = 3/4, and 10 s for margins of .1."""
    margin_P = torch.tensor([1.0, 1.0, 1.0, -1.0])
    assert fit_scale(margin_P) == pytest.approx(math.log(3.0), abs=1e-4)
    assert fit_scale(margin_P / 10) == pytest.approx(10 * math.log(3.0), abs=1e-3)
    assert fit_scale(margin_P.abs()) == pytest.approx(10.0, abs=1e-3)
    assert fit_scale(-margin_P) == pytest.approx(0.1, abs=1e-3)
    assert fit_scale(torch.zeros(4)) == 1.0


def small_margins(unit: float = 1.0) -> tuple[TrainedStates, Tensor]:
    """Comparisons by three attributes whose margins have SD .1, drawn by what the prompt asks for.

    Of a scale of 15, prompts of one kind give the first attribute .7 and the second .2, those of
    the other kind the reverse, and both the third .1.

    Args:
        unit: of the ratings.
    """
    pairs, generator = 1200, torch.Generator().manual_seed(2)
    state_P2D = torch.randn(pairs, 2, WIDTH, generator=generator)
    prompt_PD = torch.zeros(pairs, WIDTH)
    prompt_PD[::2, 0] = 3.0
    prompt_PD[1::2, 1] = 3.0
    rating_P2K = 0.1 / math.sqrt(2.0) * state_P2D[..., :3]
    asked_2K = 15.0 * torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]])
    lead_P = ((rating_P2K[:, 0] - rating_P2K[:, 1]) * asked_2K[torch.arange(pairs) % 2]).sum(1)
    turned = (torch.rand(pairs, generator=generator) > lead_P.sigmoid())[:, None, None]
    rating_P2K, state_P2D = (
        torch.where(turned, both.flip(1), both) for both in (rating_P2K, state_P2D)
    )
    sides = [HeadStates(state_P2D[:, side], prompt_PD) for side in range(2)]
    length_P, labels = torch.ones(pairs), {"ratings": unit * rating_P2K}
    return TrainedStates(sides[0], sides[1], length_P, length_P, labels), prompt_PD


def least_constant(data: TrainedStates) -> float:
    """Bradley-Terry loss of the best constant weights of the ratings, none below 0."""
    lead_PK = (data.labels["ratings"][:, 0] - data.labels["ratings"][:, 1]).double().numpy()

    def mean_loss(weight_K: np.ndarray) -> float:
        return float(np.logaddexp(0.0, -lead_PK @ weight_K).mean())

    attributes = lead_PK.shape[1]
    found = minimize(mean_loss, np.ones(attributes), bounds=[(0.0, None)] * attributes)
    return float(found.fun)


def test_small_margins_leave_every_attribute_its_weight_and_the_prompt_its_say() -> None:
    made = head(3)
    data, prompt_PD = small_margins()
    settle(Config(), made, data)
    told_P = (made(data.chosen) - made(data.rejected))[:, 0].detach()
    assert bradley_terry_loss(told_P, torch.zeros_like(told_P)).mean() < least_constant(data) + 1e-3
    share_PK = (made.gate(prompt_PD) / made.scale).detach()
    assert share_PK.max().item() < 0.9 and share_PK.mean(0).min().item() > 0.02
    assert (share_PK[::2, 0] - share_PK[1::2, 0]).min().item() > 0.2
    assert (share_PK[1::2, 1] - share_PK[::2, 1]).min().item() > 0.2
    assert 10.0 < made.scale.item() < 20.0


def test_the_gate_does_not_depend_on_the_unit_of_the_ratings() -> None:
    shares = []
    for unit in (1.0, 1000.0):
        made = head(3)
        data, prompt_PD = small_margins(unit)
        settle(Config(dropout=0.0, verbosity=1.0), made, data)
        shares.append((made.gate(prompt_PD) / made.scale).detach())
        assert made.scale.item() * unit == pytest.approx(15.0, rel=0.3)
    assert_close(shares[0], shares[1], atol=0.02, rtol=0)


def test_the_zero_of_the_ratings_moves_neither_attributes_nor_gate() -> None:
    found = []
    for shift in (0.0, 5.0):
        made = head(3)
        data, prompt_PD = small_margins()
        labels = {"ratings": data.labels["ratings"] + shift}
        torch.manual_seed(3)
        settle(Config(), made, data._replace(labels=labels))
        found.append((made.weight_KD, made.gate(prompt_PD).detach(), made(data.chosen).detach()))
    for first, second in zip(*found, strict=True):
        assert_close(first, second, atol=1e-3, rtol=0)


def test_both_sides_of_a_comparison_are_weighed_by_one_draw_of_dropout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One gate a step, so that what a pair's sides have in common leaves no margin."""
    made = head(3)
    data, _ = small_margins()
    rows, gate = [], made.gate

    def spy(prompt_BD: Tensor) -> Tensor:
        rows.append(len(prompt_BD))
        return gate(prompt_BD)

    monkeypatch.setattr(made, "gate", spy)
    settle(Config(steps=7), made, data)
    assert rows == [1200] * 7


def test_one_attribute_without_its_length_is_a_regression_that_length_does_not_move() -> None:
    data, _ = trained(length_weight=1.0)
    one = data._replace(labels={"ratings": data.labels["ratings"][..., :1]})
    for verbosity, expected in ((1.0, 1.0), (0.03, 0.0)):
        config = Config(verbosity=verbosity, steps=1)
        made = head(1, config)
        settle(config, made, one)
        assert made.weight_KD[0, 0].item() == pytest.approx(1.0, abs=0.05)
        assert made.weight_KD[0, 5].item() == pytest.approx(expected, abs=0.25)
        assert math.isclose(made.gate(torch.zeros(1, WIDTH)).item(), made.scale.item())
