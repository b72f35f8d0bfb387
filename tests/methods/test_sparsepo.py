import math

import pytest
import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import HiddenStates, StateShape
from overopt.methods.pairs import dpo, mapo, sparsepo

from . import pairs, three_responses


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


def masked(
    chosen: list[float],
    rejected: list[float],
    kl: tuple[list[float], list[float]] = ([0.02, 0.05, 0.01], [0.1, 0.2]),
    masks: int = 1,
) -> PairBatch:
    """Log-ratios .2, .3, -.1 and -.5, -.3, with forward KL and masks; one of them, or two alike."""
    sides = []
    for side, mask, divergence in zip(
        three_responses.pair()[:2],
        (chosen, [*rejected, 0.0]),
        (kl[0], [*kl[1], 0.0]),
        strict=True,
    ):
        mask_1T = torch.tensor([mask], dtype=torch.float64)
        kl_1T = torch.tensor([divergence], dtype=torch.float64)
        output_1TC = mask_1T.unsqueeze(-1).expand(-1, -1, masks)
        sides.append(side._replace(output=output_1TC, forward_kl=kl_1T))
    return PairBatch.of(sides)


def test_a_common_mask_by_hand() -> None:
    # u = .2 - .05 + .1 + .3 = .55, d = .22 - .025 = .195; log(1 + e^-.1775) = .6083
    batch = masked([1.0, 0.0, 0.5], [0.2, 1.0])
    assert sparsepo.loss(sparsepo.Config(beta=0.5), batch).item() == pytest.approx(0.6083, abs=5e-5)
    assert mapo.loss(mapo.Config(beta=0.5), batch).item() == pytest.approx(0.6083, abs=5e-5)


@pytest.mark.parametrize(("masks", "expected"), [(1, 0.6110), (2, 0.6137)])
def test_the_norm_counts_both_masks_and_a_common_one_once(masks: int, expected: float) -> None:
    """Masks sum to 1.5 and 1.2: .001 times 2.7 for each of them."""
    batch = masked([1.0, 0.0, 0.5], [0.2, 1.0], masks=masks)
    found = sparsepo.loss(sparsepo.Config(beta=0.5, sparsity=0.001), batch).item()
    assert found == pytest.approx(expected, abs=5e-5)


def test_open_masks_are_tdpo_and_closed_ones_leave_nothing() -> None:
    # h = 1.2; D(l) - D(w) = .3 - .08 = .22; log(1 + e^-.49) = .4779, log(1 + e^-.6) = .4375
    open_masks = [1.0, 1.0, 1.0], [1.0, 1.0]
    for batch, expected in (
        (masked(*open_masks), 0.4779),
        (masked(*open_masks, kl=([0.0, 0.0, 0.0], [0.0, 0.0])), 0.4375),
        (masked([0.0, 0.0, 0.0], [0.0, 0.0]), 0.6931),
    ):
        for found in (
            sparsepo.loss(sparsepo.Config(beta=0.5), batch),
            mapo.loss(mapo.Config(beta=0.5), batch),
        ):
            assert found.item() == pytest.approx(expected, abs=5e-5)


def test_loss_with_two_masks_by_hand() -> None:
    # u = 0.5 + 0.5 * 0.5 + 1 = 1.75, d = 0.3 - 2 * 0.1 = 0.1; log(1 + e^-1.65) = 0.1756760;
    # the masks sum to 3.5 and 2, which times 0.1 is 0.55
    batch = worked([[1.0, 0.0], [0.5, 2.0]], [[1.0, 1.0], [0.0, 0.0]], ([0.2, 0.1], [0.3, 0.0]))
    loss_B = sparsepo.loss(sparsepo.Config(beta=1.0, sparsity=0.1), batch)
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
    before_RTLD = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    mask_RTC = module(HiddenStates(before_RTLD, 0 * before_RTLD))
    assert mask_RTC.shape == (2, 5, 2 if independent else 1)
    assert torch.equal(mask_RTC, torch.ones_like(mask_RTC))
    mask_RTC[..., 0].sum().backward()
    slopes = {name: part.grad for name, part in module.named_parameters() if part.grad is not None}
    normed_RTLD = torch.nn.functional.layer_norm(before_RTLD[:, :, 1:], (4,))
    expected_LD = normed_RTLD.sum((0, 1)) / 2
    assert torch.allclose(slopes["masks.0.weight_LD"], expected_LD, atol=1e-5)
    assert slopes["masks.0.bias_L"].tolist() == pytest.approx([5.0, 5.0])
    assert slopes["masks.0.mixer_L"].tolist() == pytest.approx([10.0, 10.0])
    assert not any(slope.any() for name, slope in slopes.items() if name.startswith("masks.1"))


def test_a_mask_by_hand() -> None:
    # the norm makes -1 and 1 of 2 and 6, and of 5 and 3 the reverse, whatever the embeddings are;
    # blocks give ReLU(1 + 3) = 4 and ReLU(1 - 2) = 0, which .5 and .25 mix into 2
    module = sparsepo.TokenMask(StateShape(3, 2))
    with torch.no_grad():
        module.weight_LD.copy_(torch.tensor([[-1.0, 2.0], [-1.0, 1.0]]))
        module.mixer_L.copy_(torch.tensor([0.5, 0.25]))
    before_RTLD = torch.tensor([[[[70.0, -7.0], [2.0, 6.0], [5.0, 3.0]]]])
    states = HiddenStates(before_RTLD, 0 * before_RTLD)
    assert module(states).item() == pytest.approx(2.0, abs=1e-4)
    with torch.no_grad():
        module.mixer_L.neg_()
    assert module(states).item() == 0


def test_activation_masks_by_hand() -> None:
    """Means .2, .6 and .4 over the hidden dimension are 0, 1 and .5; signs are kept."""
    before_RTLD = torch.tensor(
        [
            [
                [[0.7, -0.3], [-4.0, 2.0]],  # .2 and -1
                [[0.5, 0.7], [1.0, 5.0]],  # .6 and 3
                [[-0.2, 1.0], [-2.0, 2.0]],  # .4 and 0
                [[0.0, 0.0], [0.0, 0.0]],  # padding
            ]
        ]
    )
    mask = mapo.ActivationMask()
    one, both = (
        mask(HiddenStates(part, 0 * part))[0, :, 0].tolist()
        for part in (before_RTLD[:, :, :1], before_RTLD)
    )
    assert one == pytest.approx([0.0, 1.0, 0.5, 0.0], abs=1e-6)
    assert both == pytest.approx([0.0, 1.0, (0.5 + 0.25) / 2, 0.0], abs=1e-6)
    assert not list(mapo.make_module(mapo.Config(), StateShape(2, 2)).parameters())


def test_a_layer_that_is_constant_up_to_rounding_gives_nothing() -> None:
    """So does a response of one token."""
    level_RTLD = torch.tensor([[[[0.3, 0.1]], [[0.1, 0.3]]]])
    nearly_RTLD = level_RTLD + torch.tensor([[[[0.0, 0.0]], [[0.0, 3e-8]]]])
    for before_RTLD in (level_RTLD, nearly_RTLD, level_RTLD[:, :1]):
        assert not mapo.ActivationMask()(HiddenStates(before_RTLD, before_RTLD)).any()


def test_mapo_loss_by_hand() -> None:
    # 0.5 (0.5 + 0.2) + 1.5 (0.5 + 0.1) = 1.25, and 1 (-1 + 0.3) = -0.7: the margin is 1.95
    batch = worked([[0.5], [1.5]], [[1.0], [0.0]], ([0.2, 0.1], [0.3, 0.0]))
    loss_B = mapo.loss(mapo.Config(beta=2.0), batch)
    assert loss_B.tolist() == pytest.approx([math.log(1 + math.exp(-3.9))])
