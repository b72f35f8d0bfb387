import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overopt.stats.pools import fronts
from overopt.stats.pools.best_of_n import weights
from overopt.stats.pools.listed import kl_listed, uniform


def test_pareto_front_on_literals() -> None:
    front = fronts.pareto_front([3.0, 1.0, 2.0, 2.0, 4.0, 1.0], [3.0, 1.0, 0.5, 2.0, 3.0, 1.0])
    assert front.kl_K.tolist() == [1.0, 2.0, 3.0]
    assert front.gold_K.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="NaN"):
        fronts.pareto_front([1.0], [np.nan])


@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=st.integers(0, 5)))
def test_pareto_front_is_what_nothing_dominates(points: np.ndarray) -> None:
    front = fronts.pareto_front(points[:, 0], points[:, 1])
    expected = {
        (kl, gold)
        for kl, gold in points
        if not any(k <= kl and g >= gold and (k, g) != (kl, gold) for k, g in points)
    }
    assert set(zip(front.kl_K, front.gold_K, strict=True)) == expected


def test_normalized_hypervolume_on_literals() -> None:
    oracle = fronts.Front(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    # oracle up to KL 4: 2 * 3 + (3 - 2) * 2 = 8; method: 1 * (4 - 1) = 3
    assert fronts.normalized_hypervolume([1.0], [1.0], oracle, 4.0) == pytest.approx(3 / 8)
    assert fronts.normalized_hypervolume([1.0, 2.0], [2.0, 3.0], oracle, 4.0) == 1.0
    assert fronts.normalized_hypervolume([0.0], [0.0], oracle, 4.0) == 0.0
    assert fronts.normalized_hypervolume([1.0, 9.0], [-1.0, 50.0], oracle, 4.0) == 0.0
    with pytest.raises(ValueError, match="no area"):
        fronts.normalized_hypervolume([1.0], [1.0], oracle, 0.5)


def test_two_responses_by_hand() -> None:
    # p = 1/2, gold 0 and 1: the tilt puts s on the better one; gold s, KL log 2 - H(s)
    share = 0.8
    kl = np.log(2.0) + share * np.log(share) + (1 - share) * np.log(1 - share)
    result = fronts.oracle_front_exact([[0.0, 1.0]], [[0.5, 0.5]], [0.0, kl, np.log(2.0), 5.0])
    assert result.points[0] == fronts.OraclePoint(0.0, 0.5, None, None)
    assert result.points[1].gold == pytest.approx(share)
    assert result.points[1].b == pytest.approx(1 / np.log(share / (1 - share)))
    np.testing.assert_allclose(result.unreachable_kl, [np.log(2.0), 5.0])
    assert result.kl_limit_nats == pytest.approx(np.log(2.0))


def test_no_other_policy_of_that_kl_has_more_gold() -> None:
    generator = np.random.default_rng(0)
    gold, probability = generator.normal(size=(2, 4)), generator.dirichlet(np.ones(4), size=2)
    prompt, budget = np.array([0.3, 0.7]), 0.35
    point = fronts.oracle_front_exact(gold, probability, [budget], prompt).points[0]
    assert point.kl_nats == pytest.approx(budget, abs=1e-8)
    # many policies: the reference tilted by gold plus every amount of something else
    other = generator.normal(size=(200_000, 2, 4)) * generator.exponential(size=(200_000, 1, 1))
    exponent = np.log(probability) + generator.exponential(2.0, size=(200_000, 1, 1)) * gold + other
    policy = np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    policy /= policy.sum(axis=-1, keepdims=True)
    policy_kl = (policy * np.log(np.maximum(policy, 1e-300) / probability)).sum(axis=-1) @ prompt
    reached = (policy * gold).sum(axis=-1) @ prompt
    allowed = policy_kl <= budget
    assert allowed.sum() > 1000
    assert point.gold - 0.05 < reached[allowed].max() <= point.gold


def test_pool_front_tends_to_the_exact_one() -> None:
    generator = np.random.default_rng(1)
    gold, probability = generator.normal(size=(6, 5)), generator.dirichlet(np.ones(5), size=6)
    draws = np.stack([generator.choice(5, size=20_000, p=row) for row in probability])
    pool = np.take_along_axis(gold, draws, axis=1)
    grid = [0.05, 0.2, 0.5]
    exact = fronts.oracle_front_exact(gold, probability, grid).front
    estimate = fronts.oracle_front(pool, grid)
    np.testing.assert_allclose(estimate.front.gold_K, exact.gold_K, atol=0.03)
    np.testing.assert_allclose(estimate.front.kl_K, grid, atol=1e-9)
    assert all(point.ess is not None and point.ess > 10 for point in estimate.points)


def test_normal_gold_has_a_square_root_front() -> None:
    # gold N(0, s^2): tilting by t moves the mean by t s^2 at KL t^2 s^2 / 2, gold = s sqrt(2 KL)
    pool = 3.0 * np.random.default_rng(2).normal(size=(40, 4000))
    front = fronts.oracle_front(pool - pool.mean(axis=1, keepdims=True), [0.25, 0.5, 1.0]).front
    np.testing.assert_allclose(front.gold_K, 3.0 * np.sqrt(2.0 * front.kl_K), rtol=0.02)


def test_too_few_effective_samples_are_unreachable() -> None:
    pool = np.random.default_rng(3).normal(size=(20, 64))
    result = fronts.oracle_front(pool, [0.5, 1.0, 3.5], min_ess=10.0)
    assert result.unreachable_kl == (3.5,)
    assert [round(p.kl_nats, 6) for p in result.points] == [0.5, 1.0]
    lenient = fronts.oracle_front(pool, [3.5], min_ess=1.0)
    assert lenient.points[0].ess is not None
    assert lenient.points[0].ess < 10
    assert fronts.oracle_front(pool, [5.0], min_ess=1.0).unreachable_kl == (5.0,)  # > log 64


def test_the_best_gold_stays_where_many_responses_have_it() -> None:
    # best gold 2 for 4 of 8 samples, and 3 for 2 of 8: the limit is (log 2 + log 4) / 2 nats, the
    # effective samples are 2 / (1/4 + 1/2) = 8/3
    pool = np.array([[2.0, 2, 2, 2, 0, 0, 1, 1], [3.0, 3, 0, 0, 0, 0, 1, 2]])
    result = fronts.oracle_front(pool, [0.5, 1.0, 2.0, 7.0], min_ess=2.0)
    assert result.kl_limit_nats == pytest.approx(np.log(8) / 2)
    assert result.unreachable_kl == ()
    assert [(point.kl_nats, point.gold, point.b) for point in result.points[2:]] == [
        (2.0, 2.5, 0.0),
        (7.0, 2.5, 0.0),
    ]
    assert result.points[2].ess == pytest.approx(8 / 3)
    assert result.points[1].gold < 2.5
    # with fewer samples than are trusted, the pool does not tell
    assert fronts.oracle_front(pool, [2.0, 7.0], min_ess=3.0).unreachable_kl == (2.0, 7.0)


@pytest.mark.parametrize("n_samples", [7, 8, 1001])
@pytest.mark.parametrize("n_prompts", [3, 10, 49])
def test_constant_gold_reaches_nothing_but_the_start(n_prompts: int, n_samples: int) -> None:
    # exact whatever order the sums run in: neither 1 / 49 nor 0.1 is a binary fraction
    result = fronts.oracle_front(np.full((n_prompts, n_samples), 0.1), [0.0, 0.1], min_ess=1.0)
    assert [(point.kl_nats, point.gold) for point in result.points] == [(0.0, 0.1)]
    assert result.unreachable_kl == (0.1,)


def test_padding_with_zero_probability_changes_nothing() -> None:
    plain = fronts.oracle_front_exact([[0.0, 1.0, 2.0]], [[0.2, 0.5, 0.3]], [0.1, 0.4])
    padded = fronts.oracle_front_exact([[0.0, 1.0, 2.0, 9.0]], [[0.2, 0.5, 0.3, 0.0]], [0.1, 0.4])
    np.testing.assert_allclose(padded.front.gold_K, plain.front.gold_K)
    with pytest.raises(ValueError, match="sum to 1"):
        fronts.oracle_front_exact([[0.0, 1.0]], [[0.2, 0.5]], [0.1])


def test_regret_on_literals() -> None:
    front = fronts.Front(np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 3.0]))
    assert fronts.regret(front, 2.0, 1.0) == pytest.approx(1.5)
    assert fronts.regret(front, front.kl_K[-1] * 1.3, 1.0) is None
    # a policy that meets the last budget from beyond it, by 10 % in the root of KL
    past = fronts.regret(front, front.kl_K[-1] * 1.2, 1.0)
    assert past == pytest.approx(front.gold_K[-1] - 1.0)


def test_no_selection_beats_the_oracle() -> None:
    pool = np.random.default_rng(4).normal(size=(10, 40))
    weight = weights(pool, 8)
    kl = float(kl_listed(weight, uniform(*weight.shape)).mean())
    gold = float((weight * pool).sum(axis=1).mean())
    oracle = fronts.oracle_front(pool, [kl], min_ess=1.0).points[0]
    assert oracle.gold > gold
