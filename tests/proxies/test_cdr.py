import pytest
import torch
from torch.testing import assert_close

from overopt.proxies import implicit
from overopt.proxies.cdr import Config, score
from overopt.proxies.contract.policies import PolicyReading


def reading() -> PolicyReading:
    """Four tokens, -20 nats to the strong policy and -26 to the weak; then two tokens, 0 apart."""
    strong = torch.tensor([[-5.0, -5.0, -6.0, -4.0], [-1.0, -2.0, 0.0, 0.0]])
    weak = torch.tensor([[-8.0, -6.0, -6.0, -6.0], [-1.0, -2.0, 0.0, 0.0]])
    return PolicyReading(strong, weak, torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]) > 0)


def test_score_by_hand() -> None:
    assert score(Config(), reading()).tolist() == pytest.approx([6.0, 0.0])
    assert score(Config(average=True), reading()).tolist() == pytest.approx([1.5, 0.0])


def test_against_the_reference_of_dpo_it_is_the_implicit_reward_over_beta() -> None:
    given = reading()
    expected = implicit.score(implicit.Config(beta=0.2), given) / 0.2
    assert_close(score(Config(), given), expected)


def test_against_an_earlier_policy_both_gaps_add_up() -> None:
    """log p_dpo / p_weak = log p_dpo / p_initial + log p_initial / p_weak."""
    given = reading()
    middle = given.policy_logp_NT - 0.25 * given.mask_NT
    first = given._replace(reference_logp_NT=middle)
    second = given._replace(policy_logp_NT=middle)
    parts = score(Config(), first) + score(Config(), second)
    assert_close(score(Config(), given), parts)


def test_without_its_end_a_response_scores_as_if_it_had_none() -> None:
    """Ratios 1, 2 and 5 at the end; then 3 at an end that stands alone."""
    ratio_NT = torch.tensor([[1.0, 2.0, 5.0, 0.0], [3.0, 0.0, 0.0, 0.0]])
    mask_NT = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]]) > 0
    given = PolicyReading(ratio_NT - 9.0 * mask_NT, -9.0 * mask_NT, mask_NT)
    assert score(Config(), given).tolist() == [8.0, 3.0]
    assert score(Config(end=False), given).tolist() == [3.0, 0.0]
    assert score(Config(end=False, average=True), given).tolist() == [1.5, 0.0]
