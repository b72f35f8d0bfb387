import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from overopt.methods.contract.composition import Composition
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Valued
from overopt.methods.selection.vas import Config, compose, training, value_loss, value_targets
from overopt.models.composed import value_shift
from overopt.stats.pools.listed import kl_listed

REFERENCE_V = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
REWARD_V = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)


def policy(reference: Tensor, value: Tensor, beta: float, top_k: int = 20) -> Tensor:
    """The next token's distribution under the weights of the method."""
    made = compose(Config(top_k=top_k), beta)
    logits = made.initial * reference.log()
    shift = value_shift(logits, value, made.value, made.top_k, [])
    return torch.softmax(logits + shift, -1)


def test_returns_and_loss_by_hand() -> None:
    # V (.1, .2, .4), reward 1: deltas .1, .2, .6; advantages .6, .2 + .95 x .6 = .77,
    # .1 + .95 x .77 = .8315; returns 1, .97, .9315; loss (.8315^2 + .77^2 + .6^2) / 6 = .2740
    value_RT = torch.tensor([[0.1, 0.2, 0.4, 0.0]])
    mask_RT = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    target_RT = value_targets(Config(), Valued(value_RT, mask_RT, torch.tensor([1.0])))
    assert_close(target_RT, torch.tensor([[0.9315, 0.97, 1.0, 0.0]]))
    loss_RT = value_loss(Config(), value_RT, target_RT)
    assert (loss_RT * mask_RT).sum().item() / 3 == pytest.approx(0.2740, abs=5e-5)


def test_lambda_one_is_the_reward_and_lambda_zero_the_next_value() -> None:
    value_RT, mask_RT = torch.tensor([[0.1, 0.2, 0.4]]), torch.ones(1, 3)
    valued = Valued(value_RT, mask_RT, torch.tensor([-2.0]))
    assert_close(value_targets(Config(td_lambda=1.0), valued), torch.full((1, 3), -2.0))
    next_RT = torch.tensor([[0.2, 0.4, -2.0]])
    assert_close(value_targets(Config(td_lambda=0.0), valued), next_RT)


@pytest.mark.parametrize("td_lambda", [0.0, 0.5, 0.95])
def test_mean_rewards_are_where_learning_stops(td_lambda: float) -> None:
    """Two tokens out of two: with V = E[r | prefix], the mean target of a prefix is its V."""
    then = torch.tensor([[0.4, 0.6], [0.9, 0.1]])
    reward = torch.tensor([[1.0, -1.0], [3.0, 0.5]])
    value = (then * reward).sum(1)
    pairs = [(a, b) for a in (0, 1) for b in (0, 1)]
    valued = Valued(
        torch.stack([torch.stack([value[a], reward[a, b]]) for a, b in pairs]),
        torch.ones(4, 2),
        torch.stack([reward[a, b] for a, b in pairs]),
    )
    target_RT = value_targets(Config(td_lambda=td_lambda), valued).reshape(2, 2, 2)
    assert_close((then[:, :, None] * target_RT).sum(1)[:, 0], value)
    assert_close(target_RT[:, :, 1], reward)


def test_policies_by_hand() -> None:
    # softmax(2, 1, 0, -1) = (.6439, .2369, .0871, .0321); top 2, V (.5, 1), mean .75, beta 2:
    # (1.5, 1.5, 0, -1)
    base = torch.softmax(torch.tensor([2.0, 1.0, 0.0, -1.0]), -1)
    value = torch.tensor([0.5, 1.0, 0.2, 0.0])
    found = policy(base, value, 2.0, top_k=2)
    assert found.tolist() == pytest.approx([0.4338, 0.4338, 0.0968, 0.0356], abs=5e-5)


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
def test_where_a_response_is_one_token_it_is_the_optimum(beta: float) -> None:
    tilted = REFERENCE_V * (beta * REWARD_V).exp()
    assert_close(policy(REFERENCE_V, REWARD_V, beta), tilted / tilted.sum())
    if beta == 1.0:
        found = policy(REFERENCE_V, REWARD_V, beta).tolist()
        assert found == pytest.approx([0.1790, 0.2919, 0.5291], abs=5e-5)


def test_nothing_to_add_is_the_initial_policy_and_more_beta_is_more_kl() -> None:
    assert_close(policy(REFERENCE_V, REWARD_V, 0.0), REFERENCE_V)
    assert_close(policy(REFERENCE_V, torch.full((3,), 0.8).double(), 5.0), REFERENCE_V)
    reference = REFERENCE_V.numpy()[None]
    grid = [policy(REFERENCE_V, REWARD_V, beta).numpy()[None] for beta in (0.1, 0.5, 1.0, 3.0)]
    kl = [float(kl_listed(one, reference)[0]) for one in grid]
    assert kl == sorted(kl) and kl[0] > 0


def test_over_two_tokens_mean_rewards_do_not_give_the_tilt() -> None:
    # Tokens 0 and 1, .5 each, twice; r is 2 for (0, 0), else 0. V after 0 is 1, after 1 it is 0.
    # beta 1: e / (1 + e) = .7311, then e^2 / (1 + e^2) = .8808: (0, 0) has .6439. The tilt gives
    # it e^2 / (e^2 + 3) = .7112.
    even = torch.tensor([0.5, 0.5], dtype=torch.float64)
    first = policy(even, torch.tensor([1.0, 0.0]).double(), 1.0)[0]
    then = policy(even, torch.tensor([2.0, 0.0]).double(), 1.0)[0]
    assert (first * then).item() == pytest.approx(0.6439, abs=5e-5)
    assert np.e**2 / (np.e**2 + 3) == pytest.approx(0.7112, abs=5e-5)


def test_settings_reach_the_engine() -> None:
    assert training(Config()) == Training(epochs=2, module_rate=10.0)
    assert compose(Config(top_k=5), 0.7) == Composition(1.0, (), 0.7, 5)
