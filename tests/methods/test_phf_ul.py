from functools import partial

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.iterative import phf_ul

from . import corpus


def test_all_data_are_kept_with_what_they_count_as() -> None:
    seen = corpus.beside(torch.tensor([[1.0, 3.0], [2.0, 0.0]]))
    built = phf_ul.build(phf_ul.Config(good_share=0.5), seen)
    assert built.row_K.tolist() == [4, 5, 6, 7] and built.weight_K is not None
    assert built.weight_K.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_loss_by_hand() -> None:
    """log 2 + log 4 of a good response, -2 (log .5 + log .75) of a poor one."""
    logp = torch.tensor([[0.5, 0.25, 1.0], [0.5, 0.25, 1.0]]).log()
    batch = Reading(logp, torch.zeros(2, 3), torch.tensor([[1.0, 1.0, 0.0]] * 2))
    batch = batch._replace(weight=torch.tensor([1.0, 0.0]))
    found = phf_ul.loss(phf_ul.Config(alpha=2.0), batch).tolist()
    assert found == pytest.approx([2.0794, 1.9617], abs=5e-5)


def test_a_certain_token_has_a_finite_loss_and_gradient() -> None:
    logp = torch.zeros(1, 1, requires_grad=True)
    batch = Reading(logp, torch.zeros(1, 1), torch.ones(1, 1))._replace(weight=torch.zeros(1))
    loss = phf_ul.loss(phf_ul.Config(), batch).sum()
    (slope,) = torch.autograd.grad(loss, logp)
    assert loss.item() == pytest.approx(46.0517, abs=1e-3) and slope.item() == 0.0


@pytest.mark.parametrize("alpha", [0.0, 1.0, 10.0])
def test_the_optimum_of_one_token_is_that_of_filtering(alpha: float) -> None:
    config = phf_ul.Config(alpha=alpha, good_share=0.5)
    found = corpus.optimum(partial(phf_ul.build, config), partial(phf_ul.loss, config))
    assert found == pytest.approx([0.0, 0.6, 0.4], abs=1e-3)
