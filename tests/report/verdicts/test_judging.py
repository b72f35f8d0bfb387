"""Claims judged on arms whose curves are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from overopt.papers.contract import (
    All,
    Along,
    Arm,
    Between,
    Bias,
    Checked,
    Claim,
    Coefficient,
    Distance,
    Equal,
    Exact,
    Fall,
    Form,
    GapAtProxy,
    Gold,
    GrowthExponent,
    HeldOut,
    Hump,
    LogKlAtGold,
    Minus,
    NoHump,
    Ordering,
    Peak,
    Positive,
    RelabelingError,
    Related,
    Value,
    more,
)
from overopt.report.verdicts.arms import ArmRows, Measured, Scope
from overopt.report.verdicts.claims import Rule, Verdict
from overopt.report.verdicts.judging import judge
from overopt.report.verdicts.statistics import Statistic

from .planted import HIGHER, HUMPED, STEADY, arm_rows, humped, saturating

MEASURED: Measured = {
    HUMPED: arm_rows(humped, number=1),
    STEADY: arm_rows(saturating, number=2),
    HIGHER: arm_rows(lambda d: saturating(d) + 0.2 * min(d, 1.0), number=3),
}


def verdict(rule: Rule | Exact, measured: Measured = MEASURED) -> Verdict:
    (found,) = judge([Claim("x-01", "a relation", "a number", "section 1", rule)], measured)
    return found


def value(statistic: Statistic, measured: Measured = MEASURED) -> float:
    tables = statistic.read(Scope(measured, statistic.arms))
    return float(np.mean([table.mean() for table in tables.values()]))


def test_a_hump_and_its_absence() -> None:
    assert verdict(Hump(HUMPED)).verdict == "reproduced"
    assert verdict(Hump(STEADY)).verdict == "contradicted"
    assert verdict(NoHump(STEADY, HUMPED)).verdict == "reproduced"
    assert verdict(NoHump(HUMPED, STEADY)).verdict == "contradicted"


def test_a_reason_of_several_tests_is_told_once() -> None:
    falling = {**MEASURED, STEADY: arm_rows(lambda d: -0.5 * d, number=2)}
    (one, both) = (verdict(rule, falling) for rule in (Hump(STEADY), All((Hump(STEADY),) * 2)))
    assert one.reason == both.reason == "a fall, but no rise is shown before it"


def test_an_arm_that_stops_short_of_the_fall_is_out_of_reach() -> None:
    """The humped arm peaks at 4 nats and has fallen at 6."""
    short = {**MEASURED, STEADY: arm_rows(saturating, budgets=(0.5, 1.0, 2.0, 4.0))}
    found = verdict(NoHump(STEADY, HUMPED), short)
    assert found.verdict == "out of reach"
    assert "6 nats" not in found.verdict and "4 nats" in found.reason and "6" in found.reason
    assert verdict(Positive(Gold(STEADY, 9.0)), short).verdict == "out of reach"


def test_what_was_not_run_says_so() -> None:
    found = verdict(Hump(Arm("dpo")))
    assert (found.verdict, found.reason) == (
        "not run here",
        "dpo, single, noise 0.25: not in this grid",
    )
    failed = {HUMPED: ArmRows({}, missing="failed in seed 3")}
    assert "failed in seed 3" in verdict(Hump(HUMPED), failed).reason
    needed = Claim("x-01", "r", "p", "w", None, "a rule", needs="streams")
    (waiting,) = judge([needed], MEASURED)
    assert (waiting.verdict, waiting.reason) == ("not run here", "needs streams")


def test_a_claim_without_a_rule_must_say_what_it_waits_for() -> None:
    with pytest.raises(ValueError, match="needs"):
        Claim("x-01", "r", "p", "w", None, "a rule")


def test_the_end_is_the_largest_budget_that_all_arms_of_the_claim_reached() -> None:
    short = {**MEASURED, STEADY: arm_rows(saturating, budgets=(0.5, 1.0, 4.0), noise=0.0)}
    scope = Scope(short, (HUMPED, STEADY))
    at_end = Gold(STEADY).read(scope)[0].mean()
    assert at_end == pytest.approx(saturating(2.0))
    assert Gold(HUMPED).read(scope.of((HUMPED,)))[0].mean() == pytest.approx(0.75, abs=0.01)


def test_readings_have_their_values() -> None:
    assert value(Gold(HUMPED, 1.0)) == pytest.approx(0.75, abs=0.01)
    assert value(Peak(HUMPED)) == pytest.approx(1.0, abs=0.01)
    assert value(Peak(HUMPED, "log_kl")) == pytest.approx(math.log(4.0))
    assert value(Fall(HUMPED)) == pytest.approx(0.25, abs=0.01)
    assert value(Value(HUMPED, "proxy_mean", 4.0)) == pytest.approx(2.0)
    assert value(Value(HUMPED, "auroc", 0.0)) == pytest.approx(0.7)
    assert value(Coefficient(HUMPED, Form.BON, "a")) == pytest.approx(1.0, abs=0.02)
    assert value(Coefficient(HUMPED, Form.BON, "b")) == pytest.approx(0.25, abs=0.01)
    assert value(GrowthExponent(HUMPED)) == pytest.approx(2.0)
    # 0.8 of the lower peak (0.95 of 1 - exp(-3), at 9 nats): 0.76 = d (1 - d / 4) at d = 1.02
    assert math.exp(value(LogKlAtGold(HUMPED, STEADY))) == pytest.approx(1.04, abs=0.03)


def test_forms_are_told_apart_by_what_they_predict() -> None:
    right, wrong = HeldOut(HUMPED, Form.BON), HeldOut(HUMPED, Form.RL)
    assert verdict(more(wrong, right)).verdict == "reproduced"
    straight = {HUMPED: arm_rows(humped, proxy=lambda d: d * d, number=1)}
    # a curve that bends upward lies above what d (a - b log d) makes of its lower part
    assert value(Bias(HUMPED, Form.RL, "proxy_mean"), straight) > 0.0


def relabeled(gain: Callable[[float, int], float], noise: float = 0.01) -> tuple[Rule, Measured]:
    """Rounds of d (1 - log(d)/2), which gain so much at k; and the rule that looks at them."""
    once = Arm("ppo")
    rounds = tuple((k, Arm("ppo", settings=(f"rounds.count={k}",))) for k in (2, 3, 4))
    errors = (RelabelingError(once, rounds, foretold) for foretold in (False, True))

    def of(k: int) -> ArmRows:
        def gold(d: float) -> float:
            return d * (1.0 - 0.5 * math.log(d)) + gain(d, k) if d else 0.0

        return arm_rows(gold, number=k, noise=noise)

    return Positive(Minus(*errors)), {once: of(1), **{arm: of(k) for k, arm in rounds}}


def test_rounds_of_relabeling_are_held_against_what_one_round_foretells() -> None:
    """beta = .5: at d = 3 two rounds gain 1.5 log 2 = 1.04."""
    right, measured = relabeled(lambda d, k: 0.5 * d * math.log(k))
    assert verdict(right, measured).verdict == "reproduced"
    nothing, measured = relabeled(lambda d, k: 0.0)
    assert verdict(nothing, measured).verdict == "contradicted"
    half, measured = relabeled(lambda d, k: 0.25 * d * math.log(k), noise=1e-6)
    (once, *rounds) = measured
    told = RelabelingError(once, tuple(zip((2, 3, 4), rounds, strict=True)), foretold=True)
    off = [0.75 * math.log(k) for k in (2, 3, 4)]
    rmse = math.sqrt(sum(one**2 for one in off) / 3)
    assert value(told, measured) == pytest.approx(math.log(rmse), abs=1e-3)
    assert verdict(half, measured).verdict != "reproduced"


def test_two_curves_may_be_far_in_kl_and_near_against_the_proxy() -> None:
    """Gold is proxy (2 - proxy) for both; one needs twice the sqrt(KL) for the same proxy."""

    def of_proxy(x: float) -> float:
        return x * (2.0 - x)

    fast, slow = Arm("bon"), Arm("ppo")
    measured = {
        fast: arm_rows(lambda d: of_proxy(d / 2), lambda d: d / 2, number=1, noise=0.0),
        slow: arm_rows(lambda d: of_proxy(d / 4), lambda d: d / 4, number=2, noise=0.0),
    }
    near, far = Distance(slow, fast, "proxy_mean"), Distance(slow, fast, "sqrt_kl")
    assert value(far, measured) > 3 * value(near, measured)
    at = 0.25 * 0.75  # a quarter of the proxy that both reach
    assert value(GapAtProxy(slow, fast), measured) == pytest.approx(at - of_proxy(at), abs=0.03)


def test_slopes_and_correlations_over_an_axis() -> None:
    arms = {width: Arm("bon", proxy_width=width) for width in (8, 16, 32, 64)}
    measured = {
        arm: arm_rows(lambda d, w=width: d * math.log(w), number=width)  # type: ignore[misc]
        for width, arm in arms.items()
    }
    levels = tuple((math.log(width), Gold(arm, 1.0)) for width, arm in arms.items())
    assert value(Along("log width", levels), measured) == pytest.approx(1.0, abs=0.01)
    assert verdict(Positive(Along("log width", levels)), measured).verdict == "reproduced"
    falling = verdict(Positive(Along("log width", levels), sign=-1), measured)
    assert falling.verdict == "contradicted"
    # the slope is told as it is, not by how well it suits the claim
    assert falling.effect == pytest.approx(1.0, abs=0.01)
    assert falling.low is not None and falling.low > 0.9
    related = Related("rank correlation", levels)
    assert value(related, measured) == pytest.approx(1.0)


def test_an_ordering_and_several_things_at_once() -> None:
    assert verdict(Ordering((Gold(HIGHER), Gold(STEADY), Gold(HUMPED)))).verdict == "reproduced"
    assert verdict(Ordering((Gold(HUMPED), Gold(STEADY)))).verdict == "contradicted"
    both = All((Hump(HUMPED), NoHump(STEADY, HUMPED)))
    assert verdict(both).verdict == "reproduced"
    assert len((verdict(both).evidence or pytest.fail("no evidence")).parts) == 2
    assert verdict(All((Hump(HUMPED), Hump(STEADY)))).verdict == "contradicted"


def test_equality_needs_a_margin_that_the_noise_allows() -> None:
    alike = {**MEASURED, HIGHER: arm_rows(saturating, number=1)}
    found = verdict(Equal(Minus(Gold(HIGHER), Gold(STEADY))), alike)
    assert found.verdict == "reproduced"
    assert verdict(Equal(Minus(Gold(HIGHER), Gold(STEADY)))).verdict == "contradicted"
    wild = {
        HIGHER: arm_rows(saturating, number=1, noise=3.0),
        STEADY: arm_rows(saturating, number=2, noise=3.0),
    }
    found = verdict(Equal(Minus(Gold(HIGHER), Gold(STEADY))), wild)
    assert found.verdict == "not resolved at this scale"


def test_fewer_than_five_seeds_are_exploratory() -> None:
    few = {HUMPED: arm_rows(humped, seeds=3)}
    assert verdict(Hump(HUMPED), few).exploratory
    assert not verdict(Hump(HUMPED)).exploratory


def test_seeds_are_paired_over_those_that_all_arms_have() -> None:
    fewer = {**MEASURED, STEADY: arm_rows(saturating, seeds=4)}
    assert verdict(more(Gold(HIGHER), Gold(STEADY)), fewer).n_seeds == 4


def test_without_prompts_seeds_are_all_there_is() -> None:
    measured = {HUMPED: arm_rows(humped, prompts=False, noise=0.05)}
    found = verdict(Hump(HUMPED), measured)
    assert found.verdict == "reproduced"
    assert found.evidence is not None and found.evidence.parts[0].estimate.over == "seeds"


def test_exact_claims_spend_nothing_of_the_correction() -> None:
    exact = Exact(lambda: Checked(True, 0.0, 1e-9, "computed"), "an identity")
    edge = Between(Gold(HUMPED, 1.0), 0.7, 0.8)
    claims = [
        Claim("x-01", "r", "p", "w", edge),
        *(Claim(f"x-{place:02d}", "r", "p", "w", exact) for place in range(2, 12)),
    ]
    found = judge(claims, MEASURED)
    alone = judge(claims[:1], MEASURED)
    assert found[0].p_holm == alone[0].p_holm
    assert {one.verdict for one in found[1:]} == {"reproduced"}
    broken = Exact(lambda: Checked(False, 1.0, 1e-9, "computed"), "an identity")
    assert verdict(broken).verdict == "contradicted"
