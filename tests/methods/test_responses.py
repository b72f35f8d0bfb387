import pytest

from overopt.methods.math import responses

from . import pairs


def test_sums_and_means_leave_padding_out() -> None:
    """The chosen responses have 2 and 1 tokens; their log-ratios are 1 and -1/2."""
    batch = pairs.worked()
    padded = batch.chosen._replace(
        policy_logp=batch.chosen.policy_logp - 9 * (1 - batch.chosen.mask)
    )
    assert responses.tokens(padded).tolist() == [2.0, 1.0]
    assert responses.log_likelihood(padded).tolist() == pytest.approx([-3.0, -2.5])
    assert responses.mean_log_likelihood(padded).tolist() == pytest.approx([-1.5, -2.5])
    assert responses.mean_log_ratio(padded).tolist() == pytest.approx([0.5, -0.5])
