import numpy as np
import pytest

from overopt.stats import kl


def test_estimators_on_literals() -> None:
    # log ratio log 2: k1 = log 2, k2 = (log 2)^2 / 2, k3 = 1/2 - 1 + log 2
    ratio = [np.log(2.0)]
    assert kl.k1(ratio)[0] == pytest.approx(0.6931471805599453)
    assert kl.k2(ratio)[0] == pytest.approx(0.2402265069591007)
    assert kl.k3(ratio)[0] == pytest.approx(0.1931471805599453)


def test_k3_overflow_is_an_error() -> None:
    with pytest.raises(ValueError, match="overflows"):
        kl.k3([-1000.0])


def test_k2_bias_of_two_normals() -> None:
    # log ratio under p of N(mu,1) against N(0,1) is N(k, 2k), k = mu^2/2
    k, generator = 2.0, np.random.default_rng(0)
    ratio = k + np.sqrt(2 * k) * generator.normal(size=400_000)
    assert kl.k1(ratio).mean() == pytest.approx(k, rel=0.01)
    assert kl.k2(ratio).mean() == pytest.approx(k + k * k / 2, rel=0.01)


def _two_token_world(
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """First-token and second-token log-distributions of p and q over 3 tokens."""
    logits = generator.normal(size=(2, 4, 3))
    log_probability = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return (
        log_probability[0, 0],
        log_probability[0, 1:],
        log_probability[1, 0],
        log_probability[1, 1:],
    )


def test_all_unbiased_estimators_agree_with_enumeration() -> None:
    p1, p2, q1, q2 = _two_token_world(np.random.default_rng(3))
    logp, logq = (p1[:, None] + p2).ravel(), (q1[:, None] + q2).ravel()
    exact = float(kl.exact_kl_per_prompt(logp[None], logq[None])[0])
    probability = np.exp(logp)
    assert exact == pytest.approx(float(probability @ (logp - logq)))
    assert float(probability @ kl.k1(logp - logq)) == pytest.approx(exact)
    assert float(probability @ kl.k3(logp - logq)) == pytest.approx(exact)
    first = np.repeat(np.arange(3), 3)  # first token of each of the 9 responses
    logp_NTV = np.stack([np.broadcast_to(p1, (9, 3)), p2[first]], axis=1)
    logq_NTV = np.stack([np.broadcast_to(q1, (9, 3)), q2[first]], axis=1)
    blackwell = kl.rao_blackwell(logp_NTV, logq_NTV, np.ones((9, 2), bool))
    assert float(probability @ blackwell) == pytest.approx(exact)

    def variance(values: np.ndarray) -> float:
        return float(probability @ values**2 - (probability @ values) ** 2)

    assert variance(blackwell) < variance(kl.k1(logp - logq))


def test_rao_blackwell_stops_at_the_mask() -> None:
    half, quarter = np.log([0.5, 0.5]), np.log([0.25, 0.75])
    step = 0.5 * np.log(2.0) + 0.5 * np.log(2.0 / 3.0)  # KL(half || quarter) = 0.14384
    logp, logq = np.stack([half, half])[None], np.stack([quarter, quarter])[None]
    assert kl.rao_blackwell(logp, logq, [[True, True]])[0] == pytest.approx(2 * step)
    assert kl.rao_blackwell(logp, logq, [[True, False]])[0] == pytest.approx(step)
    assert step == pytest.approx(0.14384103622589042)


def test_exact_kl_on_literals() -> None:
    # prompt 1: all mass on one of two equally likely responses = log 2; prompt 2: no change
    logp = [[0.0, -np.inf], [np.log(0.5), np.log(0.5)]]
    logq = [[np.log(0.5), np.log(0.5)]] * 2
    np.testing.assert_allclose(kl.exact_kl_per_prompt(logp, logq), [np.log(2.0), 0.0])


@pytest.mark.parametrize(
    ("logp", "logq", "message"),
    [
        ([[np.log(0.5), np.log(0.4)]], [[np.log(0.5)] * 2], "does not sum to 1"),
        ([[np.nan, 0.0]], [[np.log(0.5)] * 2], "does not sum to 1"),
        ([[np.log(0.5)] * 2], [[0.0, -np.inf]], "infinite"),
    ],
)
def test_what_is_no_distribution_is_refused(
    logp: list[list[float]], logq: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kl.exact_kl_per_prompt(logp, logq)


def test_clustered_mean_on_literals() -> None:
    # prompt means 2 and 4: mean 3, sd sqrt(2), se 1
    estimate = kl.clustered_mean([[1.0, 3.0], [4.0, 4.0]])
    np.testing.assert_allclose(np.array(estimate, float), [3.0, 1.0, 2, 4])
    ragged = kl.clustered_mean_ragged([4.0, 1.0, 3.0, 2.0], ["b", "a", "a", "a"])
    np.testing.assert_allclose(np.array(ragged, float), [3.0, 1.0, 2, 4])
    assert kl.clustered_mean([[1.0, 3.0]]).se is None
    with pytest.raises(ValueError, match="NaN"):
        kl.clustered_mean([[1.0, np.nan]])


def test_clustered_error_is_the_true_spread_of_the_mean() -> None:
    generator = np.random.default_rng(1)
    prompts = generator.normal(size=(3000, 20, 1))
    values = prompts + generator.normal(size=(3000, 20, 5))
    estimates = [kl.clustered_mean(block) for block in values]
    spread = np.std([e.mean for e in estimates])
    assert np.mean([e.se for e in estimates]) == pytest.approx(spread, rel=0.05)
