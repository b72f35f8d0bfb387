import pytest
import torch

from overopt.methods.pairs import ipo

from . import pairs


def test_loss_by_hand() -> None:
    # margins 2 and -1 against the target 1 / (2 * 0.1) = 5: (2 - 5)^2 = 9, (-1 - 5)^2 = 36
    loss_B = ipo.loss(ipo.Config(beta=0.1), pairs.worked())
    assert loss_B.tolist() == pytest.approx([9.0, 36.0], abs=1e-5)


def test_loss_vanishes_at_the_target_and_grows_beyond_it() -> None:
    # the target of beta = 0.25 is 2, which the first pair's margin meets
    loss_B = ipo.loss(ipo.Config(beta=0.25), pairs.worked())
    assert loss_B.tolist() == pytest.approx([0.0, 9.0], abs=1e-6)
    beyond_B = ipo.loss(ipo.Config(beta=0.5), pairs.worked())
    assert beyond_B.tolist() == pytest.approx([1.0, 4.0], abs=1e-6)


def test_log_probabilities_are_summed_not_averaged() -> None:
    # twice the tokens at the same log-ratio each: margin 4 instead of 2, so (4 - 5)^2 = 1
    batch = pairs.worked()
    doubled = pairs.doubled(batch)
    assert ipo.loss(ipo.Config(beta=0.1), doubled).tolist() == pytest.approx([1.0, 49.0], abs=1e-5)


def test_gradient_by_finite_differences() -> None:
    batch = pairs.random(torch.Generator().manual_seed(1))

    def loss(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        moved = pairs.moved(batch, chosen, rejected)
        return ipo.loss(ipo.Config(beta=0.2), moved)

    assert torch.autograd.gradcheck(loss, (batch.chosen.policy_logp, batch.rejected.policy_logp))
