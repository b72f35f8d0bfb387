import pytest
import torch

from overopt.methods.math.estimators import (
    generalized_advantages,
    last_token,
    leave_one_out,
    masked_mean,
    standardize,
)

MASK = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])


def test_leave_one_out_by_hand() -> None:
    # the others' means of 1, 2, 6 are 4, 3.5, 1.5
    assert leave_one_out(torch.tensor([[1.0, 2.0, 6.0]])).tolist() == [[-3.0, -1.5, 4.5]]


def test_last_token_is_the_last_of_the_mask() -> None:
    assert last_token(MASK).tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def test_generalized_advantages_by_hand() -> None:
    # delta = 0 + 0.9 * 2 - 1 = 0.8 and 3 - 2 = 1; A_1 = 0.8 + 0.9 * 0.5 * 1
    reward_BNT = torch.tensor([[[0.0, 3.0, 7.0]]])
    value_BNT = torch.tensor([[[1.0, 2.0, 9.0]]])
    advantage_BNT = generalized_advantages(reward_BNT, value_BNT, MASK[:1].unsqueeze(0), 0.9, 0.5)
    assert advantage_BNT[0, 0].tolist() == pytest.approx([1.25, 1.0, 0.0])


@pytest.mark.parametrize(("lam", "first"), [(0.0, 2.0 - 1.0), (1.0, 3.0 - 1.0)])
def test_lambda_runs_from_one_step_to_the_whole_return(lam: float, first: float) -> None:
    reward_BNT = torch.tensor([[[0.0, 0.0, 3.0]]])
    value_BNT = torch.tensor([[[1.0, 2.0, 4.0]]])
    advantage_BNT = generalized_advantages(reward_BNT, value_BNT, MASK[1:].unsqueeze(0), 1.0, lam)
    assert advantage_BNT[0, 0, 0].item() == pytest.approx(first)


def test_means_and_standardized_values_leave_padding_out() -> None:
    value = torch.tensor([[1.0, 2.0, 99.0], [3.0, 4.0, 5.0]])
    assert masked_mean(value, MASK).item() == pytest.approx(3.0)
    # deviations -2, -1, 0, 1, 2 have population SD sqrt 2
    expected = torch.tensor([[-2.0, -1.0, 0.0], [0.0, 1.0, 2.0]]) / 2**0.5
    assert torch.allclose(standardize(value, MASK), expected, atol=1e-6)
