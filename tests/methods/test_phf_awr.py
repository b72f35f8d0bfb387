from functools import partial

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import StateShape
from overopt.methods.iterative import phf_awr
from overopt.methods.math.actor_critic import ValueHead

from . import corpus, fresh
from .three_responses import LOG_REFERENCE_R, REWARD_R


def test_all_data_are_kept_with_their_rewards() -> None:
    built = phf_awr.build(phf_awr.Config(), corpus.beside(torch.tensor([[1.0, 3.0], [2.0, 0.0]])))
    assert built.row_K.tolist() == [4, 5, 6, 7] and built.weight_K is not None
    assert built.weight_K.tolist() == [1.0, 3.0, 2.0, 0.0]


def of_two_tokens(values: Tensor) -> Reading:
    logp = torch.tensor([[-0.5, -1.0, 0.0]])
    batch = Reading(logp, torch.zeros(1, 3), torch.tensor([[1.0, 1.0, 0.0]]))
    return batch._replace(output=values[None, :, None], weight=torch.tensor([2.0]))


def test_loss_by_hand() -> None:
    """A = (1, 2), weights e^.5 and e: .5 (.8244 + 2.7183) + .5 (1 + 4)."""
    values = torch.tensor([1.0, 0.0, 9.0], requires_grad=True)
    loss = phf_awr.loss(phf_awr.Config(temperature=2.0), of_two_tokens(values))
    assert loss.item() == pytest.approx(4.2713, abs=5e-5)
    (slope,) = torch.autograd.grad(loss.sum(), values)  # of the squares alone
    assert slope.tolist() == pytest.approx([-1.0, -2.0, 0.0])


def test_weights_are_cut() -> None:
    config = phf_awr.Config(temperature=0.01, policy_share=1.0)
    loss = phf_awr.loss(config, of_two_tokens(torch.zeros(3)))
    assert loss.item() == pytest.approx(1500.0)


@pytest.mark.parametrize(("temperature", "value"), [(1.0, 0.0), (0.5, 0.0), (1.0, 0.7)])
def test_the_optimum_is_the_tilted_data(temperature: float, value: float) -> None:
    config = phf_awr.Config(temperature=temperature)
    found = corpus.optimum(
        partial(phf_awr.build, config),
        partial(phf_awr.loss, config),
        lambda reading: reading._replace(output=torch.full((10, 1, 1), value)),
    )
    tilted_R = fresh.tilted(LOG_REFERENCE_R, REWARD_R / temperature).exp()
    assert found == pytest.approx(tilted_R.tolist(), abs=1e-5)


def test_the_value_head_is_trained_at_its_own_rate() -> None:
    config = phf_awr.Config(value_rate=3.0)
    assert phf_awr.training(config).module_rate == 3.0
    assert isinstance(phf_awr.make_module(config, StateShape(2, 4)), ValueHead)
