import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from overopt.stats import proxy_quality


def enumerate_pairs(gold: np.ndarray, proxy: np.ndarray) -> tuple[float, int]:
    concordant, pairs = 0.0, 0
    for i in range(gold.size):
        for j in range(gold.size):
            if gold[i] > gold[j]:
                pairs += 1
                concordant += 1.0 if proxy[i] > proxy[j] else 0.5 if proxy[i] == proxy[j] else 0.0
    return concordant, pairs


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(-3, 3), st.integers(0, 4)), min_size=1, max_size=24
    )
)
def test_accuracy_equals_enumeration_of_pairs(rows: list[tuple[int, int, int]]) -> None:
    table = np.array(rows, float)
    prompt, gold, proxy = table[:, 0], table[:, 1] / 3, table[:, 2] / 7
    result = proxy_quality.ranking_accuracy(prompt, gold, proxy)
    concordant, pairs = enumerate_pairs(gold, proxy)
    if pairs:
        assert result.pooled == pytest.approx(concordant / pairs)
    else:
        assert result.pooled is None
    by_prompt = [enumerate_pairs(gold[prompt == b], proxy[prompt == b]) for b in np.unique(prompt)]
    accuracies = [c / p for c, p in by_prompt if p]
    if accuracies:
        assert result.within is not None
        assert result.within.mean == pytest.approx(np.mean(accuracies))
    else:
        assert result.within is None
    assert result.n_prompts_without_pairs == len(by_prompt) - len(accuracies)


def test_a_proxy_that_knows_only_the_prompt_is_exposed() -> None:
    generator = np.random.default_rng(0)
    ease = np.repeat(3.0 * generator.normal(size=200), 20)
    prompt = np.repeat(np.arange(200), 20)
    gold = ease + generator.normal(size=4000)
    proxy = ease + generator.normal(size=4000)
    accuracy = proxy_quality.ranking_accuracy(prompt, gold, proxy)
    assert accuracy.within is not None
    assert accuracy.within.mean == pytest.approx(0.5, abs=0.02)
    assert accuracy.within.n_samples == 4000
    assert accuracy.pooled is not None
    assert accuracy.pooled > 0.8
    correlation = proxy_quality.correlate_proxy(prompt, gold, proxy)
    assert correlation.pooled == pytest.approx(np.corrcoef(gold, proxy)[0, 1])
    assert correlation.within == pytest.approx(0.0, abs=0.05)


def test_normal_pair_accuracy_follows_its_correlation() -> None:
    # bivariate normal: P(concordant) = 1/2 + arcsin(rho) / pi = 2/3 at rho = 1/2
    generator = np.random.default_rng(1)
    gold = generator.normal(size=20_000)
    proxy = 0.5 * gold + np.sqrt(0.75) * generator.normal(size=20_000)
    accuracy = proxy_quality.ranking_accuracy(np.zeros(20_000, int), gold, proxy)
    assert accuracy.pooled == pytest.approx(2 / 3, abs=0.01)
    tau = stats.kendalltau(gold, proxy).statistic
    assert accuracy.pooled == pytest.approx((1 + tau) / 2)


def test_constant_scores_have_no_correlation() -> None:
    result = proxy_quality.correlate_proxy([0, 0, 1, 1], [0.1, 0.1, 0.7, 0.7], [1.0, 2.0, 3.0, 5.0])
    assert result.within is None
    assert result.pooled is not None


def test_hill_recovers_a_pareto_tail_and_tells_it_from_a_normal_one() -> None:
    generator = np.random.default_rng(2)
    for tail in (1.5, 3.0):
        error = generator.pareto(tail, size=200_000) * np.where(
            generator.random(200_000) < 0.5, -1, 1
        )
        estimate = proxy_quality.hill_tail_index(error)
        assert estimate.alpha == pytest.approx(tail, abs=3 * estimate.se + 0.1 * tail)
    normal = proxy_quality.hill_tail_index(generator.normal(size=200_000))
    assert normal.alpha > 6
    assert normal.k == 447


def test_hill_on_literals() -> None:
    # median 0; top three 2, 4, 8 over the threshold 1: mean log = (1 + 2 + 3) log 2 / 3
    error = [-9.0, -5.0, -3.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0]
    assert proxy_quality.hill_tail_index(error, 3).alpha == pytest.approx(1 / (2 * np.log(2.0)))
    with pytest.raises(ValueError, match="no tail"):
        proxy_quality.hill_tail_index(np.ones(20))
    with pytest.raises(ValueError, match="k must lie"):
        proxy_quality.hill_tail_index(error, 9)


def test_calibration_on_literals() -> None:
    # bins of width 1/2: gaps |0 - 0.2| and |(0.5) - 0.8|, two pairs each
    result = proxy_quality.calibration_error([0.2, 0.2, 0.8, 0.8], [0, 0, 1, 0], n_bins=2)
    np.testing.assert_allclose(result, [0.25, 2, 4])
    assert proxy_quality.calibration_error([1.0], [1.0]).error == 0.0
    with pytest.raises(ValueError, match="between 0 and 1"):
        proxy_quality.calibration_error([1.2], [1.0])


def test_bradley_terry_labels_are_calibrated_and_sharpened_margins_are_not() -> None:
    generator = np.random.default_rng(3)
    margin = 2.0 * generator.normal(size=100_000)
    probability = proxy_quality.preference_probability(margin)
    preferred = (generator.random(margin.size) < probability).astype(float)
    assert probability[0] == pytest.approx(1 / (1 + np.exp(-margin[0])))
    assert proxy_quality.calibration_error(probability, preferred).error < 0.01
    sharp = proxy_quality.preference_probability(3.0 * margin)
    assert proxy_quality.calibration_error(sharp, preferred).error > 0.05
