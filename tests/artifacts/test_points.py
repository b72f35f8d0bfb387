"""Win rate, distinct-n and ranking by hand."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.artifacts.points import (
    Point,
    check_prompt_major,
    distinct_n,
    estimate,
    ranking,
    release_missed,
    win_rate,
)
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.spec.system import ProxySystemSpec
from overopt.stats.kl import Estimate
from overopt.worlds.tokens import BOS, EOS, Tokens
from stages.hand_made import SINGLE, texts


def test_win_rate_counts_ties_half_and_takes_pools_of_any_size() -> None:
    gold_BN = np.array([[1.0, 2.0], [0.0, 5.0]])
    pool_BN = np.array([[1.0, 1.0, 3.0, 0.0], [0.0, 0.0, 0.0, 9.0]])
    # Prompt 0: 1 beats {0}, ties {1, 1}: 2/4; 2 beats {1, 1, 0}: 3/4; mean 0.625.
    # Prompt 1: 0 ties three: 1.5/4; 5 beats three: 3/4; mean 0.5625.
    found = win_rate(gold_BN, pool_BN)
    assert found.mean == pytest.approx(0.59375)
    assert found.se == pytest.approx((0.625 - 0.5625) / 2)
    assert (found.n_prompts, found.n_samples) == (2, 4)


def test_win_rate_of_the_pool_against_itself_is_a_half() -> None:
    pool_BN = np.random.default_rng(0).integers(0, 4, (5, 40)).astype(float)
    assert win_rate(pool_BN, pool_BN).mean == pytest.approx(0.5)


def test_distinct_n_by_hand() -> None:
    responses = texts([[4, 5, 4], [4, 5], [6, 6], [6]])
    # Prompt 0: words 4 5 4 4 5: 2 of 5; pairs 45 54 45: 2 of 3.
    # Prompt 1: words 6 6 6: 1 of 3; pairs 66: 1 of 1.
    one, two = (distinct_n(responses, 2, order) for order in (1, 2))
    assert one is not None and two is not None
    assert one.mean == pytest.approx((2 / 5 + 1 / 3) / 2)
    assert one.se == pytest.approx((2 / 5 - 1 / 3) / 2)
    assert two.mean == pytest.approx((2 / 3 + 1) / 2)


def test_equal_texts_of_different_prompts_are_counted_apart() -> None:
    found = distinct_n(texts([[4, 5], [4, 5]]), 2, 1)
    assert found is not None and found.mean == 1.0


def test_a_prompt_without_an_n_gram_has_no_ratio() -> None:
    found = distinct_n(texts([[4, 4, 4], [4, 5, 4], [6], [6]]), 2, 2)
    assert found is not None
    assert found.mean == pytest.approx(3 / 4)  # 44 44 45 54, of prompt 0 alone
    assert found.n_prompts == 1
    assert distinct_n(texts([[4], [5]]), 2, 2) is None
    assert distinct_n(texts([[], []]), 2, 1) is None


def test_specials_inside_a_text_are_words_and_its_end_is_none() -> None:
    responses = Tokens.from_padded(np.array([[BOS, BOS, EOS, 0], [BOS, 4, 5, 6]], dtype=np.int32))
    found = distinct_n(responses, 1, 1)
    assert found is not None and found.mean == pytest.approx(4 / 6)


def test_ranking_tells_within_prompts_from_pooled() -> None:
    point: Point = {}
    # Inside prompts the proxy is always right; prompt 1 has lower gold but higher proxy.
    gold_BN = np.array([[3.0, 4.0], [1.0, 2.0]])
    proxy_BN = np.array([[0.0, 1.0], [5.0, 6.0]])
    ranking(point, proxy_BN, gold_BN)
    assert point["auroc"] == 1.0
    assert point["auroc_se"] == 0.0
    assert point["auroc_pooled"] == pytest.approx(2 / 6)


def test_ranking_is_missing_where_gold_is_constant() -> None:
    point: Point = {}
    ranking(point, np.array([[0.0, 1.0]]), np.ones((1, 2)))
    assert "auroc" not in point
    assert point["auroc_pooled"] is None


def test_an_estimate_that_does_not_exist_leaves_no_number() -> None:
    point: Point = {}
    estimate(point, "distinct_2", None, "")
    estimate(point, "gold", Estimate(1.0, None, 1, 3))
    assert point == {"gold_mean": 1.0, "gold_se": None}


@pytest.mark.parametrize("rows", [[0, 1, 0, 1], [0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1]])
def test_rows_that_would_be_given_to_another_prompt_are_refused(rows: list[int]) -> None:
    check_prompt_major(np.array([0, 0, 1, 1]), 2)
    with pytest.raises(ValueError, match="prompt-major"):
        check_prompt_major(np.array(rows), 2)


def test_a_reward_that_is_no_number_is_refused() -> None:
    system = open_as(OpenedProxy, ProxySystemSpec.model_validate(SINGLE))
    assert system.combine(np.array([[1.0, 2.0]])).tolist() == [1.0, 2.0]
    with pytest.raises(FloatingPointError, match="one finite number per response"):
        system.combine(np.array([[1.0, np.nan]]))


def test_a_point_that_misses_its_budget_claims_it_no_more() -> None:
    met: Point = {"status": "ok", "kl_nats": 1.2, "kl_target_nats": 1.0}
    missed: Point = {"status": "ok", "kl_nats": 2.5, "kl_target_nats": 2.0}
    far: Point = {"status": "unreached", "kl_target_nats": 9.0}
    start: Point = {"status": "ok", "kl_nats": 0.0}
    exact: Point = {"status": "ok", "kl_nats": 3.0, "kl_rb_nats": 5.0, "kl_target_nats": 5.0}
    found = release_missed([start, met, missed, exact, far])
    assert found == [
        start,
        met,
        {**missed, "kl_target_nats": None},
        {**exact, "kl_target_nats": None},
        {"kl_target_nats": 2.0, "status": "unreached"},
        {"kl_target_nats": 5.0, "status": "unreached"},
        far,
    ]
