"""Which pairs a ranking tests, what it sees in them, and what it calls its ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from overopt.report.comparison.contest import (
    Contest,
    Entrant,
    Ranking,
    Score,
    Scores,
    WorldScore,
    show_interval,
)
from overopt.report.comparison.frames import notes_of
from overopt.report.comparison.question import Question
from overopt.report.comparison.ranking import name_ties, rank
from overopt.report.comparison.words import verdict
from overopt.report.group import SeedCurve
from overopt.stats.crossed import crossed_interval
from overopt.stats.intervals import adjust_holm


def test_many_groups_of_ties_are_counted_and_not_lettered() -> None:
    """Methods on a line, each told from all but its two neighbors: 59 groups of two."""
    place = np.arange(60)
    far = np.abs(place[:, None] - place) > 1
    assert name_ties(far) == ["1 other", *["2 others"] * 58, "1 other"]
    assert name_ties(far[:4, :4]) == ["a", "ab", "bc", "c"]
    assert name_ties(~np.eye(60, dtype=np.bool_)) == ["0 others"] * 60


def draw_scores(heights: Sequence[float], rng: np.random.Generator) -> dict[str, Scores]:
    """Methods m0, m1, ... with 5 seeds and 24 prompts each: seeds, prompts and noise as normals."""
    seed_S, prompt_B = rng.normal(0.0, 0.1, 5), rng.normal(0.0, 0.3, 24)
    scores: dict[str, Scores] = {}
    for number, height in enumerate(heights):
        own_S = rng.normal(0.0, 0.1, 5)
        noise_SB = rng.normal(0.0, 0.3, (5, 24))
        value_SB = height + (seed_S + own_S)[:, None] + prompt_B + noise_SB
        own = crossed_interval(value_SB)
        scores[f"m{number}"] = {0: WorldScore(own, value_SB.mean(axis=1), value_SB, 4.0)}
    return scores


def decide(scores: Mapping[str, Scores], baseline: str | None) -> Ranking:
    def no_gains(world: int, curve: SeedCurve) -> None:
        raise AssertionError("a ranking reads scores, not curves")

    entrants = tuple(Entrant(name, "", False, {}, no_gains) for name in scores)
    contest = Contest("drawn", "", "0", {0: (0, 1, 2, 3, 4)}, entrants)
    return rank(contest, Question(baseline=baseline), scores)


def test_against_a_baseline_only_the_pairs_with_it_are_tested() -> None:
    scores = draw_scores((0.0, 0.8, 0.8, -0.8), np.random.default_rng(0))
    ranking = decide(scores, "m0")
    assert {frozenset((pair.first, pair.second)) for pair in ranking.pairs} == {
        frozenset(("m0", other)) for other in ("m1", "m2", "m3")
    }
    raw = np.array([pair.difference.p for pair in ranking.pairs])
    assert [pair.p_holm for pair in ranking.pairs] == adjust_holm(raw).tolist()
    ranks = {one.method: one.ranks for one in ranking.standings}
    assert ranks == {"m0": (3, 3), "m1": (1, 3), "m2": (1, 3), "m3": (2, 4)}
    assert {one.ties for one in ranking.standings} == {""}
    everyone = decide(scores, None)
    assert len(everyone.pairs) == 6 and {one.ties for one in everyone.standings} == {"a", "b", "c"}


def test_who_was_told_of_gold_is_named_with_its_use() -> None:
    plain = decide(draw_scores((0.0, 0.5, 1.0), np.random.default_rng(1)), "m0")
    assert "Uses gold" not in verdict(plain) and notes_of(plain) == []
    entrants = tuple(
        replace(one, uses_gold="selection" if one.method == "m2" else "none")
        for one in plain.contest.entrants
    )
    told = rank(replace(plain.contest, entrants=entrants), plain.question, plain.scores)
    assert "Uses gold beyond noisy comparisons: m2 (selection)." in verdict(told)
    assert notes_of(told) == ["m2: uses gold (selection)"]


def test_a_baseline_that_is_not_ranked_leaves_all_pairs_tested() -> None:
    ranking = decide(draw_scores((0.0, 0.5, 1.0), np.random.default_rng(1)), "elsewhere")
    assert len(ranking.pairs) == 3 and ranking.baseline is None


def test_false_differences_stay_below_5_percent_and_smaller_ones_are_seen() -> None:
    """400 draws of 11 equal methods (three standard errors), then 100 with one better."""
    rng = np.random.default_rng(2)
    equal, one_better = [0.0] * 11, [0.0] * 10 + [0.45]
    false = sum(any(p.differs for p in decide(draw_scores(equal, rng), "m0").pairs)
                for _ in range(400))  # fmt: skip
    assert false / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    found: dict[str | None, int] = {"m0": 0, None: 0}
    for _ in range(100):
        scores = draw_scores(one_better, rng)
        for baseline in found:
            found[baseline] += decide(scores, baseline).pair("m0", "m10").differs
    assert found["m0"] > 2 * found[None] > 0


def test_a_bound_is_not_shown_as_zero_where_it_is_not() -> None:
    def shown(mean: float, low: float | None, high: float | None) -> str:
        return show_interval(Score(mean, low, high, "seeds"), 2)

    assert shown(-0.0031, -0.0042, -0.002) == "−0.003 [−0.004, −0.002]"
    assert shown(0.0031, -0.0042, 0.01) == "0.003 [−0.004, 0.010]"
    assert shown(0.31, 0.2, 0.42) == "0.31 [0.20, 0.42]"
    assert shown(1e-9, 1e-10, 2e-9) == "0.000000 [0.000000, 0.000000]"
    assert shown(0.0031, None, None) == "0.00"
