import pytest
import torch
from torch.testing import assert_close

from overopt.catalog import systems
from overopt.errors import UserError
from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading
from overopt.proxies.grm import Config, loss, make_head


def batch(margin: float = 1.0, chosen: float = -5.0, rejected: float = -8.0) -> ReadBatch:
    """One comparison; log-probabilities of the sides over two tokens, and -4 and -6 by pi_ref."""

    def reading(total: float, reference: float) -> Reading:
        return Reading(
            None,
            torch.tensor([[total / 4, 3 * total / 4]]).requires_grad_(),
            torch.tensor([[reference, 0.0]]),
        )

    return ReadBatch(
        torch.tensor([margin + 0.3]),
        torch.tensor([0.3]),
        reading(chosen, -4.0),
        reading(rejected, -6.0),
    )


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        # .99 * .313262 + .01 * -log sigmoid(-.5), which is .974077
        ("sft", 0.319870),
        # .01 * -log sigmoid(.3), which is .554355
        ("dpo-noref", 0.315673),
        # .01 * -log sigmoid(.1 * (3 - 2)), which is .644397
        ("dpo", 0.316573),
        # .01 * 5
        ("nll", 0.360129),
    ],
)
def test_loss_by_hand(regularizer: str, expected: float) -> None:
    found = loss(Config(regularizer=regularizer), batch())
    assert found.item() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("regularizer", ["sft", "dpo-noref", "dpo", "nll"])
def test_without_weight_it_is_bradley_terry(regularizer: str) -> None:
    given = batch(-0.7)
    plain = bradley_terry_loss(given.chosen_P, given.rejected_P)
    assert_close(loss(Config(weight=0.0, regularizer=regularizer), given), plain)


def test_the_sft_term_is_beta_times_the_nll_for_long_responses() -> None:
    far = loss(Config(weight=1.0), batch(chosen=-900.0)).item()
    assert far == pytest.approx(0.1 * 900.0, abs=1e-4)
    given = batch(chosen=-900.0)
    assert given.chosen.logp_PT is not None
    (slope,) = torch.autograd.grad(loss(Config(weight=1.0), given).sum(), given.chosen.logp_PT)
    assert_close(slope, torch.full((1, 2), -0.1))


def test_an_unknown_regularizer_is_told() -> None:
    with pytest.raises(ValueError, match="'ntp' is not sft"):
        loss(Config(regularizer="ntp"), batch())


def test_the_head_is_two_layers_with_dropout_in_training_only() -> None:
    head = make_head(Config(hidden=8, dropout=0.5), HeadShape(width=6))
    shapes = [tuple(value.shape) for value in head.parameters()]
    assert shapes == [(8, 6), (8,), (1, 8), (1,)]
    states = HeadStates(torch.ones(64, 6), torch.zeros(64, 6))
    assert head.train()(states).std().item() > 1e-4
    assert head.eval()(states).std().item() < 1e-6
    by_hand = head.layers[3](torch.relu(head.layers[1](states.last_BD)))
    assert_close(head(states), by_hand)


def test_other_regularizers_are_refused_before_a_run() -> None:
    with pytest.raises(UserError, match="Unknown value of regularizer 'kl'"):
        systems.proxy("grm", {"regularizer": "kl"})
