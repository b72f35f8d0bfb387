"""The committed curves behind a card."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.commands.cards.curves import baseline_of, cost_of, curve_of, read_curves
from overopt.commands.show import show
from overopt.report.cards import card_table
from overopt.report.stored.reading import read_results
from overopt.report.stored.run_folder import published

HEAD = (
    "task,world,method,proxy,noise,kl_target_nats,kl_nats,gold,gold_low,gold_high,seeds,"
    "seeds_run,samples,tokens\n"
)
ROWS = (
    "reviews,0,dpo,single,0,,0,0,0,0,2,2,,\n"
    "reviews,0,dpo,single,0,2,2.1,.3,.2,.4,2,2,0,1000\n"
    "reviews,0,dpo,single,0,4,4.1,.2,,,1,2,0,2000\n"
    "reviews,0,new,single,0.25,2,2,.5,,,2,2,8,9\n"
    "reviews,0,new,uwo,0,2,2,.5,,,2,2,8,9\n"
    "reviews,0,new,single,0,2,1.9,.5,,,2,2,800,3000\n"
    "reviews,0,new,single,0,4,3.9,.6,,,2,2,900,9000\n"
)


@pytest.fixture()
def table(tmp_path: Path) -> Path:
    path = tmp_path / "curves.csv"
    path.write_text(HEAD + ROWS)
    return path


def test_a_method_is_told_by_its_curve_with_one_proxy_and_the_least_noise(table: Path) -> None:
    curve = curve_of(read_curves(table), "methods", "new")
    assert curve is not None
    assert curve.where == "reviews, world 0, single, noise 0, 2 seeds"
    assert [one.gold for one in curve.budgets] == [0.5, 0.6]
    assert curve_of(read_curves(table), "methods", "newer") is None
    assert curve_of(read_curves(table), "proxies", "uwo") is not None


def test_budgets_stand_in_the_order_of_kl_and_keep_what_is_missing(table: Path) -> None:
    (dpo,) = (one for one in read_curves(table) if one.method == "dpo")
    assert [one.kl_nats for one in dpo.budgets] == [0, 2.1, 4.1]
    assert [one.low for one in dpo.budgets] == [0, 0.2, None]
    assert dpo.budgets[0].tokens is None


def test_costs_are_compared_where_all_seeds_of_both_got(table: Path) -> None:
    """dpo reached 4 nats with one seed of two: 3000 / 1000 tokens at 2 nats."""
    curves = read_curves(table)
    curve = curve_of(curves, "methods", "new")
    assert curve is not None
    assert cost_of(curves, curve, "dpo") == "3 x dpo (tokens processed up to 2 nats)"
    assert cost_of(curves, curve, "bon") == ""  # bon has no curve there


def test_large_ratios_are_told_in_plain_digits(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    path.write_text(HEAD + ROWS.replace("800,3000", "800,167400"))
    curves = read_curves(path)
    curve = curve_of(curves, "methods", "new")
    assert curve is not None and cost_of(curves, curve, "dpo").startswith("170 x dpo (")


def test_a_baseline_is_not_compared_with_itself(table: Path) -> None:
    curves = read_curves(table)
    dpo = curve_of(curves, "methods", "dpo")
    assert dpo is not None and cost_of(curves, dpo, "dpo") == ""


@pytest.mark.parametrize(
    ("method", "family", "per_answer", "baseline"),
    [
        ("ipo", "pairs", False, "dpo"),
        ("vas", "selection", False, "dpo"),
        ("soft-bon", "selection", True, "bon"),
        ("rloo", "rollout", False, "dpo"),
        ("ppo", "rollout", False, "rloo"),
        ("raft", "iterative", False, "rloo"),
        ("dera", "pairs", False, "dpo"),
    ],
)
def test_whom_a_cost_is_compared_with(
    method: str, family: str, per_answer: bool, baseline: str
) -> None:
    assert baseline_of(method, family, per_answer) == baseline


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ppo", " x rloo (tokens processed"),
        ("rloo", " x dpo (tokens processed"),
        ("vas", " x dpo (tokens processed"),
        ("warp", " x rloo (tokens processed"),
        ("dera", " x dpo (tokens processed"),
        ("soft-bon", " x bon (responses drawn"),
        ("bon", None),
    ],
)
def test_a_card_compares_costs_with_those_of_its_kind(
    name: str, said: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(name) == 0
    cost = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cost ")]
    assert len(cost) == (said is not None)
    assert all(said is not None and said in line for line in cost)


def test_without_the_table_there_are_no_curves(tmp_path: Path) -> None:
    assert read_curves(tmp_path / "curves.csv") == ()


def test_the_committed_table_is_what_the_committed_results_say(committed_results: Path) -> None:
    folder = committed_results
    told = card_table(read_results(published(folder)).runs).to_csv(index=False, float_format="%.6g")
    assert (folder / "curves.csv").read_text() == told, "give: make results"
