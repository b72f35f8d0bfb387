"""Who is compared with whom, by what, and who is not ranked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import ttest_rel

from overopt.catalog import lookup, systems
from overopt.errors import UserError
from overopt.report.comparison.comparison import Comparison
from overopt.report.comparison.contest import Ranking
from overopt.report.comparison.runs import compare
from overopt.report.stored.methods import gold_use, sees_proxy
from overopt.report.stored.selection import Selection
from overopt.stats.comparisons.differences import difference, paired_by_prompt, paired_by_seed

from .drawn import gold_of, write_run


def only(comparison: Comparison) -> Ranking:
    (found,) = comparison.rankings
    return found


def reasons(ranking: Ranking) -> dict[str, str]:
    return {one.method: one.note for one in ranking.standings if one.ranks is None}


def gains(method: str, height: float, k: int, world: int = 0) -> np.ndarray:
    """Gold by seed and prompt at a budget, as the run folders store it."""
    tables = [gold_of(method, seed, height, world) for seed in range(5)]
    return np.stack([(table[k] - table[0]).astype(np.float32) for table in tables]).astype(float)


def test_seeds_and_prompts_are_used_where_both_were_stored(tmp_path: Path) -> None:
    write_run(tmp_path, "low", 0.3)
    write_run(tmp_path, "high", 0.5)
    ranking = only(compare(tmp_path, at_kl=4))
    (pair,) = ranking.pairs
    wanted = difference([paired_by_prompt(gains("high", 0.5, 3), gains("low", 0.3, 3))])
    assert (pair.first, pair.difference.paired_by) == ("high", "seeds and prompts")
    assert pair.difference.mean == pytest.approx(wanted.mean, abs=1e-6)
    assert pair.difference.p == pytest.approx(wanted.p, rel=1e-4)
    assert pair.chance == 1.0 and pair.differs
    assert [tuple(one.ranks or ()) for one in ranking.standings] == [(1, 1), (2, 2)]


def test_seeds_alone_where_one_has_no_prompts(tmp_path: Path) -> None:
    write_run(tmp_path, "low", 0.3, by_prompt=False)
    write_run(tmp_path, "high", 0.5)
    comparison = compare(tmp_path)
    (pair,) = only(comparison).pairs
    high, low = (
        gains(name, height, 3).mean(axis=1) for name, height in (("high", 0.5), ("low", 0.3))
    )
    wanted = difference([paired_by_seed(high, low)])
    assert pair.difference.paired_by == "seeds"
    assert pair.difference.p == pytest.approx(wanted.p, rel=1e-4)
    assert set(comparison.pairs["paired_by"]) == {"seeds"}


def test_gold_between_budgets_is_interpolated_seed_by_seed(tmp_path: Path) -> None:
    write_run(tmp_path, "low", 0.3)
    write_run(tmp_path, "high", 0.5)
    (pair,) = only(compare(tmp_path, at_kl=3)).pairs
    share = (np.sqrt(3) - np.sqrt(2)) / (2 - np.sqrt(2))

    def at(name: str, height: float) -> np.ndarray:
        return np.asarray((1 - share) * gains(name, height, 2) + share * gains(name, height, 3))

    wanted = difference([paired_by_prompt(at("high", 0.5), at("low", 0.3))])
    assert pair.difference.mean == pytest.approx(wanted.mean, abs=1e-6)
    assert pair.difference.se == pytest.approx(wanted.se, rel=1e-4)


def test_a_method_that_missed_the_kl_in_one_seed_is_not_ranked(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.4)
    write_run(tmp_path, "short", 0.9, reach={3: 2.0})
    ranking = only(compare(tmp_path, at_kl=4))
    assert {one.method for one in ranking.ranked} == {"a", "b"}
    assert reasons(ranking) == {"short": "not reached by 1 of 5 seeds (measured to 2 nats)"}
    assert "Not ranked, since not every seed reached 4 nats: short." in compare(tmp_path).verdict
    at_two = only(compare(tmp_path, at_kl=2))
    assert at_two.ranked[0].method == "short"
    ends = only(compare(tmp_path, metric="end"))
    assert reasons(ends) == {"short": "ends at 2 of 8 nats"}


def test_where_nobody_gets_the_reader_is_told_how_far_they_got(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.4, reach={0: 4.0})
    said = compare(tmp_path, at_kl=30).verdict
    assert said == (
        "Nothing to rank: no method reached 30 nats in every seed. Two methods reached 4 nats: "
        "try that."
    )
    table = compare(tmp_path, at_kl=5).table.set_index("method")
    assert table["rank_best"].isna().all() and table["ties"].eq("").all()
    assert table["score"].notna().tolist() == [True, False]


def test_a_failed_seed_is_not_averaged_over(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.4)
    write_run(tmp_path, "broken", 0.9, failed=(2,))
    for metric in ("gold-at-kl", "peak", "end", "hypervolume"):
        assert reasons(only(compare(tmp_path, metric=metric))) == {"broken": "seed 2 failed"}


def test_a_method_that_failed_in_every_seed_is_told(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.4)
    write_run(tmp_path, "broken", 0.9, failed=range(5))
    comparison = compare(tmp_path)
    assert reasons(only(comparison)) == {"broken": "seeds 0, 1, 2, 3, 4 failed"}
    assert not [one for one in comparison.notes if "Not compared" in one]


def test_worlds_and_seeds_that_two_share_are_found(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3, worlds=(0, 1))
    write_run(tmp_path, "b", 0.4, worlds=(0, 2))
    write_run(tmp_path, "c", 0.4, worlds=(1,), seeds=range(1, 6))
    met = {
        tuple(one.contest.seeds_of.items()): {entrant.method for entrant in one.contest.entrants}
        for one in compare(tmp_path).rankings
    }
    assert met == {
        ((0, (0, 1, 2, 3, 4)),): {"a", "b"},
        ((1, (1, 2, 3, 4)),): {"a", "c"},
    }


def test_many_different_sets_of_seeds_meet_on_what_all_share(tmp_path: Path) -> None:
    for n in range(14):
        write_run(tmp_path, f"m{n}", 0.3, seeds=[s for s in range(16) if s != n])
    (one,) = compare(tmp_path).rankings
    assert len(one.contest.entrants) == 14 and one.contest.seeds_of == {0: (14, 15)}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"noise": "0.25"}, "noise"),
        ({"proxy": "uwo"}, "proxy"),
        ({"worlds": (1,)}, "world"),
        ({"seeds": (7, 8, 9)}, "seed"),
        ({"raw": 0.7}, "initial policy"),
    ],
)
def test_what_shares_too_little_is_refused(
    tmp_path: Path, other: dict[str, Any], words: str
) -> None:
    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.4, **other)
    with pytest.raises(UserError, match=rf"nothing to compare.*{words}") as told:
        compare(tmp_path)
    assert "\n" not in str(told.value)


def test_a_method_that_sees_no_proxy_meets_those_of_every_proxy(tmp_path: Path) -> None:
    write_run(tmp_path, "blind", 0.4, family="pairs")
    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.3, proxy="uwo")
    met = {
        one.contest.proxy: {entrant.method for entrant in one.contest.entrants}
        for one in compare(tmp_path).rankings
    }
    assert met == {"single": {"blind", "a"}, "uwo": {"blind", "b"}}


def test_only_some_methods_noises_and_proxies(tmp_path: Path) -> None:
    for noise in ("0", "0.25"):
        write_run(tmp_path, "blind", 0.4, family="pairs", noise=noise, name=f"step-{noise}")
        for name in ("a", "b"):
            for proxy in ("single", "uwo"):
                write_run(
                    tmp_path, name, 0.3, proxy=proxy, noise=noise, name=f"step-{proxy}-{noise}"
                )
    only_uwo = compare(tmp_path, selection=Selection(proxies=("uwo",), noises=("0.25",)))
    (one,) = only_uwo.rankings
    assert (one.contest.proxy, one.contest.noise) == ("uwo", "0.25")
    assert {entrant.method for entrant in one.contest.entrants} == {"a", "b", "blind"}
    # rows keep their numbers, so that gold by prompt is still found
    assert set(only_uwo.pairs["paired_by"]) == {"seeds, prompts"}
    two = compare(tmp_path, selection=Selection(methods=("a", "blind")))
    assert {len(one.contest.entrants) for one in two.rankings} == {2}
    with pytest.raises(
        UserError, match=r"--proxy wco: no method here sees it; there are: single, uwo"
    ):
        compare(tmp_path, selection=Selection(proxies=("wco",)))


def test_gold_by_prompt_is_found_where_only_some_rows_are_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = write_run(tmp_path, name, 0.3)
        other = write_run(tmp_path / "other", name, 0.5, noise="0.25")
        points = pd.concat([pd.read_csv(one / "points.csv", dtype=str) for one in (other, folder)])
        points.to_csv(folder / "points.csv", index=False)
        tables = [pq.read_table(one / "prompts.parquet").to_pandas() for one in (other, folder)]
        tables[1]["row"] += 25
        both = pa.Table.from_pandas(pd.concat(tables), preserve_index=False)
        pq.write_table(both, folder / "prompts.parquet")
        (folder / "contrasts.csv").unlink()
        (folder / "budgets.csv").unlink()
    found = compare(tmp_path / "drawn", selection=Selection(noises=("0",)))
    (pair,) = only(found).pairs
    wanted = gains("b", 0.3, 3) - gains("a", 0.3, 3)
    assert pair.difference.paired_by == "seeds and prompts"
    assert abs(pair.difference.mean) == pytest.approx(abs(wanted.mean()), abs=1e-6)


def test_who_sees_a_proxy_is_read_from_the_record_as_it_was_declared() -> None:
    specs = {name: systems.method(name) for name in lookup.names("methods")}
    read = {name: sees_proxy(spec.to_json()) for name, spec in specs.items()}
    assert read == {name: spec.sees_proxy for name, spec in specs.items()}
    assert not read["dpo"] and not read["dera"] and read["rloo"] and read["warp"]
    blind = {name for name, spec in specs.items() if spec.blind}
    assert blind == {"cream", "self-reward", "spin"} and not any(read[name] for name in blind)


def test_who_was_told_of_gold_is_read_from_the_record_as_it_was_declared() -> None:
    specs = {name: systems.method(name) for name in lookup.names("methods")}
    assert {name: gold_use(spec.to_json()) for name, spec in specs.items()} == {
        name: spec.uses_gold for name, spec in specs.items()
    }
    assert gold_use({"uses_gold": "selection"}, {"step_scores": True}) == "selection"
    assert gold_use({}, {"step_scores": True}) == "steps"
    assert gold_use({"uses_gold": "none"}, {"uses_gold": "something new"}) == "training"


def test_a_proxy_that_was_told_of_gold_is_told_of_whoever_sees_it(tmp_path: Path) -> None:
    for method, sees in (("blind", False), ("seeing", True)):
        write_run(tmp_path, method, 0.4, family="rollout" if sees else "pairs")
        (path,) = (tmp_path / "drawn" / method).glob("*/run.json")
        record = json.loads(path.read_text())
        record["spec"]["proxies"] = [{"name": "single", "uses_gold": "training"}]
        path.write_text(json.dumps(record))
    used = {one.method: one.uses_gold for one in only(compare(tmp_path)).contest.entrants}
    assert used == {"blind": "none", "seeing": "training"}


def test_older_records_do_not_say_who_leaves_rewards_unread() -> None:
    for name in ("cream", "self-reward", "spin", "iter-dpo"):
        spec = systems.method(name)
        older = spec.model_copy(update={"blind": False}).to_json()
        assert "blind" not in older
        assert sees_proxy(older) == spec.sees_proxy


def test_methods_without_a_proxy_meet_once(tmp_path: Path) -> None:
    write_run(tmp_path, "blind", 0.4, family="pairs")
    write_run(tmp_path, "other", 0.4, family="pairs", proxy="uwo")
    assert only(compare(tmp_path)).contest.proxy == ""


def test_other_initial_policies_are_kept_apart_and_told(tmp_path: Path) -> None:
    for name, raw in (("a", 0.5), ("b", 0.5), ("c", 0.7), ("d", 0.7)):
        write_run(tmp_path, name, 0.3, raw=raw)
    comparison = compare(tmp_path)
    assert len(comparison.rankings) == 2
    assert "Compared apart, since their initial policies differ: a, b | c, d." in comparison.notes


@pytest.mark.parametrize(("apart", "contests"), [(2e-5, 1), (9e-4, 1), (2e-3, 2)])
def test_rounding_does_not_tell_initial_policies_apart(
    tmp_path: Path, apart: float, contests: int
) -> None:
    """Raw gold has SD 1 here; another machine's last digits are far below a thousandth of it."""
    for name, raw in (("a", 0.5), ("b", 0.5 + apart), ("c", 0.5), ("d", 0.5 + apart)):
        write_run(tmp_path, name, 0.3, raw=raw)
    assert len(compare(tmp_path).rankings) == contests


def test_seeds_that_all_have_run_are_compared(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.4, seeds=range(3))
    comparison = compare(tmp_path)
    assert only(comparison).contest.seeds_of == {0: (0, 1, 2)}
    assert comparison.verdict.endswith("Exploratory: 3 seeds, fewer than 5.")


def test_one_seed_is_tested_over_prompts_and_said_to_be_one(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3, seeds=(0,))
    write_run(tmp_path, "b", 0.6, seeds=(0,))
    comparison = compare(tmp_path)
    (pair,) = only(comparison).pairs
    test = ttest_rel(gains("b", 0.6, 3)[0], gains("a", 0.3, 3)[0])
    assert pair.difference.p == pytest.approx(test.pvalue, rel=1e-3)
    assert comparison.verdict.endswith(
        "One seed: it holds for these very training runs. Exploratory: 1 seed, fewer than 5."
    )
    (peaks,) = only(compare(tmp_path, metric="peak")).pairs
    assert peaks.p_holm is None and peaks.sees is None and not peaks.differs


def test_two_old_runs_of_one_seed_have_no_test(tmp_path: Path) -> None:
    for name, height in (("a", 0.3), ("b", 0.6)):
        write_run(tmp_path, name, height, seeds=(0,), by_prompt=False)
    comparison = compare(tmp_path)
    assert "no test" in comparison.verdict and "is best" not in comparison.verdict
    assert comparison.table["rank_worst"].tolist() == [2, 2]
    assert comparison.pairs["p"].isna().all() and comparison.pairs["p"].dtype == float


def test_worlds_are_no_seeds(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3, worlds=(0, 1, 2))
    write_run(tmp_path, "b", 0.4, worlds=(0, 1, 2))
    write_run(tmp_path, "c", 0.4)
    several, one = sorted(compare(tmp_path).rankings, key=lambda r: -len(r.contest.seeds_of))
    assert {e.method for e in one.contest.entrants} == {"a", "b", "c"}
    (pair,) = several.pairs
    means = [float((gains("b", 0.4, 3, w) - gains("a", 0.3, 3, w)).mean()) for w in range(3)]
    assert pair.difference.mean == pytest.approx(np.mean(means), abs=1e-6)
    assert pair.difference.se == pytest.approx(np.std(means, ddof=1) / np.sqrt(3), abs=1e-6)
    assert pair.difference.across_worlds and not pair.within.across_worlds
    two = only(compare([tmp_path / "drawn" / "a", tmp_path / "drawn" / "b"])).pairs[0]
    assert two == pair


def test_peak_and_end_are_those_that_the_runs_stored(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.4)
    for metric, name in (("peak", "peak_gold"), ("end", "end_gold")):
        for one in only(compare(tmp_path, metric=metric)).ranked:
            (path,) = (tmp_path / "drawn" / one.method).glob("*/contrasts.csv")
            row = pd.read_csv(path).iloc[0]
            assert one.score is not None
            assert (one.score.mean, one.score.low, one.score.high) == pytest.approx(
                (row[name], row[f"{name}_low"], row[f"{name}_high"]), abs=1e-6
            )


def test_hypervolume_is_that_of_the_table_of_scores(tmp_path: Path) -> None:
    from overopt.report.stored.reading import read_results
    from overopt.report.writing import compose_report

    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.4)
    ranking = only(compare(tmp_path, metric="hypervolume"))
    (pair,) = ranking.pairs
    assert pair.difference.paired_by == "seeds and prompts"
    scores = compose_report(read_results([tmp_path])).frames["scores"].set_index("method")
    for one in ranking.ranked:
        row = scores.loc[one.method]
        assert one.score is not None
        assert (one.score.mean, one.score.low, one.score.high) == pytest.approx(
            (row["hypervolume"], row["hypervolume_low"], row["hypervolume_high"])
        )


def test_a_baseline_is_what_others_are_set_against(tmp_path: Path) -> None:
    for name, height in (("a", 0.3), ("b", 0.6), ("c", 0.9)):
        write_run(tmp_path, name, height)
    comparison = compare(tmp_path, baseline="b")
    assert comparison.verdict == "Against b at 4 nats: better: c; worse: a."
    assert len(comparison.pairs) == 2
    table = comparison.table.set_index("method")
    assert table["reference"].tolist() == ["b"] * 3
    assert table["difference"]["a"] < 0 < table["difference"]["c"]
    pairs = comparison.pairs.query("first == 'b' and second == 'a'")
    (low,) = -pairs["high"]
    assert table["difference_low"]["a"] == low
    with pytest.raises(UserError, match=r"'bb' is not among.*did you mean b"):
        compare(tmp_path, baseline="bb")


def test_questions_without_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such metric; choose one of gold-at-kl, peak"):
        compare(tmp_path, metric="best")
    for kl in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="number of nats above 0"):
            compare(tmp_path, at_kl=kl)


def test_profiles_fall_from_one_to_zero(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    write_run(tmp_path, "b", 0.4)
    profiles = compare(tmp_path).profiles
    assert len(profiles) == 2 * 10
    for _, rows in profiles.groupby("method"):
        share = rows["share_above"].to_numpy()
        assert (np.diff(share) <= 0).all() and share[-1] == 0.0
