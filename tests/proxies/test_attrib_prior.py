import math

import pytest
import torch

from overopt.proxies.attrib_prior import Config, loss, make_head
from overopt.proxies.contract.heads import HeadShape, ReadBatch

from .headed import outputs, read, states


def batch() -> ReadBatch:
    """Two pairs that are 3 and 1 apart by the first part, and 1 and 1 by the second."""
    chosen_PC = torch.tensor([[4.0, 3.0, 1.0, 0.0, 0.0], [0.0, -1.0, 1.0, 0.0, 0.0]])
    return outputs(chosen_PC, torch.zeros(2, 5), {"terms": torch.zeros(2, 2)})


@pytest.mark.parametrize(
    ("prior", "apart"),
    [
        # importances 2/3 and 1/3
        ("", 0.5 * math.log(0.5 / (2 / 3)) + 0.5 * math.log(0.5 / (1 / 3))),
        ("2,1", 0.0),
        ("0,1", math.log(3.0)),
        ("1,0", math.log(1.5)),
    ],
)
def test_distance_to_the_prior_by_hand(prior: str, apart: float) -> None:
    # the rewards are 4 and 0 apart: log(1 + e^-4) = .018150 and log 2
    found = loss(Config(weight=2.0, prior=prior), batch())
    expected = [0.018150 + 2 * apart, 0.693147 + 2 * apart]
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


def test_the_reward_is_the_sum_of_its_parts_and_does_not_move_the_attributes() -> None:
    head = make_head(Config(), HeadShape(6, {"terms": 3}))
    with torch.no_grad():
        head.weight_K.copy_(torch.tensor([2.0, -1.0, 0.5]))
    both = states(5, 6)
    output_PC = head(both[0])
    torch.testing.assert_close(output_PC[:, 0], output_PC[:, 1:4].sum(1))
    torch.testing.assert_close(output_PC[:, 1:4], output_PC[:, 4:] * head.weight_K)
    silent = loss(Config(), read(head, both, {"terms": torch.zeros(5, 3)}))
    torch.autograd.backward(silent.sum())
    assert head.attributes.weight.grad is not None and not head.attributes.weight.grad.any()
    assert head.weight_K.grad is not None and head.weight_K.grad.any()


def test_a_heavy_prior_sets_the_importance() -> None:
    torch.manual_seed(0)
    head = make_head(Config(), HeadShape(6, {"terms": 2}))
    both = states(200, 6)
    config = Config(weight=100.0, prior="3,1")
    optimizer = torch.optim.Adam([head.weight_K], lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        torch.autograd.backward(
            loss(config, read(head, both, {"terms": torch.zeros(200, 2)})).mean()
        )
        optimizer.step()
    part_PK = (head(both[0]) - head(both[1]))[:, 1:3].abs().mean(0)
    assert (part_PK[0] / part_PK.sum()).item() == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("prior", ["1", "1,2,3", "-1,2", "0,0"])
def test_the_prior_fits_the_terms(prior: str) -> None:
    with pytest.raises(ValueError, match="give one number for each of 2 terms"):
        loss(Config(prior=prior), batch())
