import math

import pytest
import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import HiddenStates, StateShape
from overopt.methods.pairs import dpo, mapo, sparsepo

from . import pairs


def worked(
    chosen: list[list[float]], rejected: list[list[float]], kl: tuple[list[float], list[float]]
) -> PairBatch:
    """The first worked pair (log-ratios 0.5, 0.5 and -1) with masks (T, C) and forward KLs."""
    whole = pairs.worked()
    first = torch.tensor([0])
    return PairBatch(
        whole.chosen.take(first)._replace(
            output=torch.tensor([chosen]), forward_kl=torch.tensor([kl[0]])
        ),
        whole.rejected.take(first)._replace(
            output=torch.tensor([rejected]), forward_kl=torch.tensor([kl[1]])
        ),
    )


def test_loss_by_hand() -> None:
    # u = 0.5 + 0.5 * 0.5 + 1 = 1.75, d = 0.3 - 2 * 0.1 = 0.1; log(1 + e^-1.65) = 0.1756760;
    # mean masks 0.5, 1.25 and 1 over three tokens, times 0.6, are 0.55
    batch = worked([[1.0, 0.0], [0.5, 2.0]], [[1.0, 1.0], [0.0, 0.0]], ([0.2, 0.1], [0.3, 0.0]))
    loss_B = sparsepo.loss(sparsepo.Config(beta=1.0, sparsity=0.6), batch)
    assert loss_B.tolist() == pytest.approx([math.log(1 + math.exp(-1.65)) + 0.55])


def test_masks_of_one_without_kl_are_dpo() -> None:
    ones, nothing = [[1.0], [1.0]], ([0.0, 0.0], [0.0, 0.0])
    batch = worked(ones, ones, nothing)
    loss_B = sparsepo.loss(sparsepo.Config(beta=0.3, sparsity=0.0), batch)
    assert loss_B.tolist() == pytest.approx(dpo.loss(dpo.Config(beta=0.3), batch).tolist())
    assert mapo.loss(mapo.Config(beta=0.3), batch).tolist() == pytest.approx(loss_B.tolist())


@pytest.mark.parametrize("independent", [True, False])
def test_masks_start_at_one_and_learn(independent: bool) -> None:
    module = sparsepo.make_module(sparsepo.Config(independent=independent), StateShape(3, 4))
    after_RTLD = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    mask_RTC = module(HiddenStates(0 * after_RTLD, after_RTLD))
    assert mask_RTC.shape == (2, 5, 2 if independent else 1)
    assert torch.equal(mask_RTC, torch.ones_like(mask_RTC))
    mask_RTC[..., 0].sum().backward()
    weight, bias = module.parameters()
    assert weight.grad is not None and bias.grad is not None
    assert torch.allclose(weight.grad[..., 0], after_RTLD.sum((0, 1)) / 3, atol=1e-5)
    assert bias.grad[:, 0].tolist() == pytest.approx([10 / 3] * 3)


def test_a_mask_can_close() -> None:
    # layers' inputs 1 - 3 h: -2 is cut to 0 and 1.6 stays, mean 0.8
    module = sparsepo.TokenMasks(StateShape(2, 1), 1)
    with torch.no_grad():
        module.weight_LDC.fill_(-3.0)
    after_RTLD = torch.tensor([[[[1.0], [-0.2]]]])
    assert module(HiddenStates(after_RTLD, after_RTLD)).item() == pytest.approx(0.8)


def test_activation_masks_by_hand() -> None:
    # magnitudes 2 and 1 in the first layer, 1 and 3 in the second; the padding's states are 0
    after_RTLD = torch.tensor(
        [[[[1.0, -3.0], [1.0, 1.0]], [[0.0, 2.0], [-3.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]]]]
    )
    mask_RTC = mapo.ActivationMask()(HiddenStates(after_RTLD, after_RTLD))
    expected = [(2 / 1.5 + 1 / 2) / 2, (1 / 1.5 + 3 / 2) / 2, 0.0]
    assert mask_RTC[0, :, 0].tolist() == pytest.approx(expected)
    assert not list(mapo.make_module(mapo.Config(), StateShape(2, 2)).parameters())


def test_mapo_loss_by_hand() -> None:
    # 0.5 (0.5 + 0.2) + 1.5 (0.5 + 0.1) = 1.25, and 1 (-1 + 0.3) = -0.7: the margin is 1.95
    batch = worked([[0.5], [1.5]], [[1.0], [0.0]], ([0.2, 0.1], [0.3, 0.0]))
    loss_B = mapo.loss(mapo.Config(beta=2.0), batch)
    assert loss_B.tolist() == pytest.approx([math.log(1 + math.exp(-3.9))])
