import pytest
import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import given
from overopt.methods.pairs import dpo, tdpo
from tabular_optima import table

from . import three_responses


def with_kl() -> PairBatch:
    """The pair of easy sums with D(w) = .08 and D(l) = .30, and padding that does not count."""
    batch = three_responses.pair()
    kl_BT = [torch.tensor([row]).double() for row in ([0.02, 0.05, 0.01], [0.10, 0.20, 7.0])]
    return PairBatch(
        batch.chosen._replace(forward_kl=kl_BT[0].requires_grad_()),
        batch.rejected._replace(forward_kl=kl_BT[1].requires_grad_()),
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (tdpo.Config(beta=0.5, form="tdpo1"), 0.4779),
        (tdpo.Config(beta=0.5, alpha=0.5), 0.4573),
        (tdpo.Config(beta=0.5, alpha=1.0), 0.4779),
    ],
)
def test_loss_by_hand(config: tdpo.Config, expected: float) -> None:
    """.5 * (1.2 - (.30 - .08)) = .49, and .5 * (1.2 - .5 * .22) = .545."""
    assert tdpo.loss(config, with_kl()).item() == pytest.approx(expected, abs=5e-5)


def test_without_alpha_it_is_dpo() -> None:
    batch = with_kl()
    ours = tdpo.loss(tdpo.Config(beta=0.7, alpha=0.0), batch)
    assert torch.equal(ours, dpo.loss(dpo.Config(beta=0.7), batch))


@pytest.mark.parametrize(("form", "ratio"), [("tdpo1", -1.0), ("tdpo2", 0.0)])
def test_only_the_first_form_learns_from_the_chosen_ones_kl(form: str, ratio: float) -> None:
    batch = with_kl()
    kl_BT = [given(side.forward_kl, "forward_kl") for side in (batch.chosen, batch.rejected)]
    loss = tdpo.loss(tdpo.Config(beta=0.5, form=form), batch).sum()
    chosen_BT, rejected_BT = torch.autograd.grad(loss, kl_BT, materialize_grads=True)
    assert rejected_BT[0, 0] > 0.05
    assert (chosen_BT[0, 0] / rejected_BT[0, 0]).item() == pytest.approx(ratio)


def test_on_one_shared_prefix_the_first_form_has_dpos_optimum() -> None:
    config = tdpo.Config(beta=0.7, form="tdpo1")

    def expected_loss(logits_R: torch.Tensor) -> torch.Tensor:
        batch, chance_P = table.all_pairs(logits_R)
        return (chance_P * tdpo.loss(config, batch)).sum()

    assert torch.allclose(table.minimize(expected_loss), table.tilted(0.7), atol=1e-6)


def test_without_its_input_the_file_is_to_be_mended() -> None:
    with pytest.raises(ValueError, match="forward_kl was not computed"):
        tdpo.loss(tdpo.Config(), three_responses.pair())
