"""Sampled KL and gold against enumeration, over a hundred policies.

Of 100 errors in standard errors, about 0.27 lie outside of 3 where the standard error is right:
more than 3 happen by chance less than once in 4,000 times.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm, t

from overopt.stages.shown.enumeration import Enumeration
from overopt.stats.kl import k1, rao_blackwell
from overopt.stats.pools.fronts import oracle_front, oracle_front_exact

from .hundred import POLICIES, PROMPTS, Known

OUTSIDE_MAX = 3
MILD_NATS = 1.0


def test_the_bound_on_outliers_is_what_it_says() -> None:
    assert binom.sf(OUTSIDE_MAX, POLICIES, 2 * norm.sf(3)) < 1 / 4000


def test_the_policies_cover_mild_and_large_kl(policies: list[Known]) -> None:
    kl_nats = np.array([policy.kl_nats for policy in policies])
    assert kl_nats.min() < 0.01
    assert kl_nats.max() > 2
    assert (kl_nats < MILD_NATS).sum() > 60


@pytest.mark.parametrize("name", ["rb", "k1", "k3", "gold"])
def test_unbiased_estimates_agree_with_enumeration(policies: list[Known], name: str) -> None:
    used = policies if name != "k3" else [p for p in policies if p.kl_nats < MILD_NATS]
    z = np.array([policy.estimates[name].z_fixed for policy in used])
    assert (np.abs(z) > 3).sum() <= OUTSIDE_MAX
    # The hundred estimates are independent: their mean z has a standard error of 0.1.
    assert abs(z.mean()) < 3 / math.sqrt(len(z))
    assert 0.7 < z.std(ddof=1) < 1.3


@pytest.mark.parametrize("name", ["rb", "k1", "gold"])
def test_reported_standard_errors_cover(policies: list[Known], name: str) -> None:
    error = np.array([abs(policy.estimates[name].z_reported) for policy in policies])
    quantile = t(PROMPTS - 1).isf  # the standard errors come from 16 prompts
    assert (error > quantile(norm.sf(3))).sum() <= OUTSIDE_MAX
    assert (error > quantile(0.025)).sum() <= binom.ppf(0.999, POLICIES, 0.05)


def test_rao_blackwell_varies_less_than_k1(policies: list[Known]) -> None:
    variance = np.array(
        [
            [policy.estimates[name].values_BN.var(axis=1, ddof=1).mean() for name in ("rb", "k1")]
            for policy in policies
        ]
    )
    assert variance[:, 0].mean() < 0.25 * variance[:, 1].mean()
    mild = np.array([policy.kl_nats < MILD_NATS for policy in policies])
    assert (variance[mild, 0] < variance[mild, 1]).mean() >= 0.98


def test_k2_is_biased_upwards_far_away(policies: list[Known]) -> None:
    far = [policy for policy in policies if policy.kl_nats > 1.5]
    assert len(far) >= 5
    excess = [p.estimates["k2"].reported.mean / p.kl_nats - 1 for p in far]
    assert np.mean(excess) > 0.1


def test_rao_blackwell_need_not_vary_less_than_k1() -> None:
    """Two tokens: k1 is the same for every response here, the Rao-Blackwellized sum is not.

    p(a) = p(b) = 1/2 and then c for certain; q(a) = 1/4 and then c for certain, q(b) = 3/4 and
    then c with chance 1/3. log p/q is log 2 on both paths; the conditional KLs of the second token
    are 0 and log 3.
    """
    certain, half = [-np.inf, -np.inf, 0.0], [math.log(0.5), math.log(0.5), -np.inf]
    first_q = [math.log(0.25), math.log(0.75), -np.inf]
    second_q = [math.log(1 / 3), math.log(1 / 3), math.log(1 / 3)]
    logp = np.array([[half, certain], [half, certain]])
    logq = np.array([[first_q, certain], [first_q, second_q]])
    rb_N = rao_blackwell(logp, logq, np.ones((2, 2), bool))
    k1_N = k1([math.log(0.5 / 0.25), math.log(0.5 / 0.75) + math.log(3)])
    assert k1_N == pytest.approx([math.log(2)] * 2)
    assert rb_N.mean() == pytest.approx(math.log(2))
    assert rb_N[1] - rb_N[0] == pytest.approx(math.log(3))


def test_no_policy_is_above_the_oracle_front(policies: list[Known], exact: Enumeration) -> None:
    kl_nats = [policy.kl_nats for policy in policies]
    front = oracle_front_exact(exact.gold_BR, np.exp(exact.reference_logp_BR), kl_nats)
    best = {point.kl_nats: point.gold for point in front.points}
    gold = np.interp(kl_nats, sorted(best), [best[kl] for kl in sorted(best)])
    regret = gold - np.array([policy.gold for policy in policies])
    assert (regret > 0).all()


def test_the_front_of_a_pool_is_close_to_the_exact_one(exact: Enumeration) -> None:
    """With 2,000 samples per prompt the estimated front is within a few per cent of the exact."""
    rng = np.random.default_rng(0)
    p_BR = np.exp(exact.reference_logp_BR)
    drawn_BN = np.stack([rng.choice(p_R.size, size=2000, p=p_R / p_R.sum()) for p_R in p_BR])
    gold_BN = np.take_along_axis(exact.gold_BR, drawn_BN, axis=1)
    grid = [0.05, 0.25, 1.0, 2.0]
    start = float((p_BR * exact.gold_BR).sum(1).mean())
    truth = oracle_front_exact(exact.gold_BR, p_BR, grid).front.gold_K - start
    found = oracle_front(gold_BN, grid).front.gold_K - start
    assert found == pytest.approx(truth, rel=0.05)
