import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from overopt.proxies import implicit
from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.contract.policies import PolicyReading
from overopt.proxies.implicit_prm import Config, loss, score

RATIO_NT = torch.tensor([[2.0, -6.0, 4.0, 2.0, -1.0], [1.0, 3.0, -2.0, 0.0, 0.0]])
END_NT = torch.tensor([[0, 1, 0, 0, 1], [1, 0, 1, 0, 0]]) > 0
MASK_NT = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]) > 0


def reading() -> PolicyReading:
    reference_NT = -3.0 * MASK_NT
    return PolicyReading(reference_NT + RATIO_NT, reference_NT, MASK_NT, END_NT)


def side(ratio: float) -> Reading:
    return Reading(None, torch.tensor([[ratio - 5.0, 0.0]]), torch.tensor([[-4.0, -1.0]]))


def of(chosen: float, rejected: float, outcomes: list[float]) -> Tensor:
    zero = torch.zeros(1)
    labels = {"outcomes": torch.tensor([outcomes])}
    return loss(Config(), ReadBatch(zero, zero, side(chosen), side(rejected), labels))


def test_loss_by_hand() -> None:
    # b times a log-ratio of 2 is .1: .644397 where it is right, .744397 where it is not
    assert of(2.0, 2.0, [1.0, 1.0]).item() == pytest.approx(0.644397, abs=1e-6)
    assert of(2.0, 2.0, [0.0, 0.0]).item() == pytest.approx(0.744397, abs=1e-6)
    assert of(2.0, 2.0, [1.0, 0.0]).item() == pytest.approx(0.694397, abs=1e-6)
    assert of(0.0, 0.0, [1.0, 0.0]).item() == pytest.approx(0.693147, abs=1e-6)


@pytest.mark.parametrize(
    ("over", "accumulate", "expected"),
    [
        # steps of -4 and 5, of 1 and 1: b = .05
        ("outcome", False, [0.05, 0.1]),
        ("min", False, [-0.2, 0.05]),
        ("mean", False, [0.025, 0.05]),
        ("sum", False, [0.05, 0.1]),
        # q at the ends: -4 and 1, 1 and 2
        ("min", True, [-0.2, 0.05]),
        ("mean", True, [-0.075, 0.075]),
        ("sum", True, [-0.15, 0.15]),
    ],
)
def test_scores_by_hand(over: str, accumulate: bool, expected: list[float]) -> None:
    found = score(Config(over=over, accumulate=accumulate), reading())
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_the_outcome_is_the_implicit_reward() -> None:
    expected = implicit.score(implicit.Config(beta=0.05), reading())
    assert_close(score(Config(), reading()), expected)
    assert_close(score(Config(over="sum"), reading()), expected)


def test_one_step_is_the_outcome_however_it_is_reduced() -> None:
    end_NT = torch.tensor([[0, 0, 0, 0, 1], [0, 0, 1, 0, 0]]) > 0
    one = reading()._replace(end_NT=end_NT)
    for over in ("min", "mean", "sum"):
        assert_close(score(Config(over=over), one), score(Config(), one))


def test_a_policy_that_is_the_reference_says_nothing() -> None:
    same = reading()._replace(reference_logp_NT=reading().policy_logp_NT)
    for over in ("outcome", "min", "mean", "sum"):
        assert score(Config(over=over), same).tolist() == [0.0, 0.0]
