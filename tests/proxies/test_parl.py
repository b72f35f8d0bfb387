import pytest
import torch

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.refits import Refit
from overopt.proxies.contract.training import FreshBatch
from overopt.proxies.parl import Config, loss, refit

CHOSEN, REJECTED = torch.tensor([1.0, 1.0, 3.0]), torch.tensor([0.0, 1.0, 3.0])


def test_loss_by_hand() -> None:
    """Of two fresh pairs, l is .313262 and .693147, mean .503204, and s is 1 and 2, mean 1.5."""
    fresh = torch.tensor([True, True, False])
    found = loss(Config(weight=2.0, beta=0.5), FreshBatch(CHOSEN, REJECTED, fresh))
    first = 0.313262 + 2 * (0.313262 - 0.503204) * (1.0 - 1.5) / 0.5
    second = 0.693147 + 2 * (0.693147 - 0.503204) * (2.0 - 1.5) / 0.5
    assert found.tolist() == pytest.approx([first, second, 0.693147], abs=2e-6)


@pytest.mark.parametrize("fresh", [None, torch.zeros(3) > 0, torch.tensor([False, True, False])])
def test_before_a_run_and_with_one_fresh_pair_it_is_bradley_terry(
    fresh: torch.Tensor | None,
) -> None:
    found = loss(Config(), FreshBatch(CHOSEN, REJECTED, fresh))
    torch.testing.assert_close(found, bradley_terry_loss(CHOSEN, REJECTED))


def test_its_gradient_is_that_of_the_loss_under_the_policy_which_it_makes() -> None:
    """Four responses, pi_ref uniform, pi* = softmax(r): pairs (i, j), i preferred where i < j.

    Over all pairs, weighed by pi*(i) pi*(j), the two terms add up to the whole derivative.
    """
    reward = torch.tensor([0.3, -0.5, 0.8, 0.1], dtype=torch.float64, requires_grad=True)
    rows, columns = torch.tril_indices(4, 4, -1)
    better, worse = columns, rows

    def expected(r: torch.Tensor) -> torch.Tensor:
        chance = torch.softmax(r, 0)
        weight = chance[better] * chance[worse]
        return (weight / weight.sum() * bradley_terry_loss(r[better], r[worse])).sum()

    (whole,) = torch.autograd.grad(expected(reward), reward)
    chance = torch.softmax(reward.detach(), 0)
    weight = chance[better] * chance[worse]
    counts = (weight / weight.sum() * 200_000).round().long()
    index = torch.repeat_interleave(torch.arange(6), counts)
    fresh = torch.ones(len(index)) > 0
    batch = FreshBatch(reward[better][index], reward[worse][index], fresh)
    (found,) = torch.autograd.grad(loss(Config(), batch).mean(), reward)
    torch.testing.assert_close(found, whole, atol=1e-4, rtol=0)


def test_settings_say_when_and_on_how_much() -> None:
    assert refit(Config(every=7, pairs=5)) == Refit(every=7, pairs=5)
