"""Which policies meet a budget, by hand."""

import pytest

from overopt.stats.budgets import budget_gap, is_met


def test_the_gap_is_a_fraction_of_the_square_root() -> None:
    assert budget_gap(4.0, 1.0) == pytest.approx(1.0)
    assert budget_gap(0.81, 1.0) == pytest.approx(0.1)
    assert budget_gap(18.0, 18.0) == 0.0
    assert budget_gap(-0.01, 1.0) == 1.0  # an estimate below 0 is the start itself


@pytest.mark.parametrize(
    ("kl_nats", "met"), [(0.8101, True), (0.8099, False), (1.2099, True), (1.2101, False)]
)
def test_a_budget_is_met_within_ten_per_cent(kl_nats: float, met: bool) -> None:
    assert is_met(kl_nats, 1.0) is met
