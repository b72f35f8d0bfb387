import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import superhf

ZERO = torch.zeros(2, 3, 1)
SEEN = Rollout(torch.tensor([[1.0, 3.0, 2.0], [5.0, 4.0, 6.0]]), Reading(ZERO, ZERO, ZERO + 1))


@pytest.mark.parametrize(("keep", "rows"), [(1, [1, 5]), (2, [1, 2, 5, 3])])
def test_the_best_of_every_prompt_are_kept(keep: int, rows: list[int]) -> None:
    assert superhf.build(superhf.Config(keep=keep), SEEN).row_K.tolist() == rows


def test_no_more_can_be_kept_than_there_are() -> None:
    with pytest.raises(ValueError, match="keep = 4 of 3"):
        superhf.build(superhf.Config(keep=4), SEEN)


def test_loss_of_one_row_by_hand() -> None:
    # 0.5 + 1 + 0.35 (0.1 + 0.2) = 1.6050; the authors' means over tokens are half of it, 0.8025
    batch = Reading(
        torch.tensor([[-0.5, -1.0]]),
        torch.zeros(1, 2),
        torch.ones(1, 2),
        torch.tensor([[0.1, 0.2]]),
    )
    assert superhf.loss(superhf.Config(kl_weight=0.35), batch).tolist() == pytest.approx([1.6050])


def test_loss_by_hand() -> None:
    # 1 + 2 + 2 (0.5 + 0.25), and 3 + 2 * 1
    batch = Reading(
        torch.tensor([[-1.0, -2.0], [-3.0, 0.0]]),
        torch.zeros(2, 2),
        torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
        torch.tensor([[0.5, 0.25], [1.0, 0.0]]),
    )
    assert superhf.loss(superhf.Config(kl_weight=2.0), batch).tolist() == pytest.approx([4.5, 5.0])
