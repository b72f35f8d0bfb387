"""Gold beside what it costs: means of the budget's own policies, and who is outdone, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from overopt.report.pareto.figure import draw_pareto
from overopt.report.pareto.table import pareto_frame
from overopt.report.stored.points import add_labels
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results

from .synthetic import write_runs


def _results(tmp_path: Path, changed: dict[tuple[str, int, float], dict[str, Any]]) -> Results:
    """Two methods of two seeds; cells of (method, seed, budget) overwritten."""
    runs = write_runs(
        tmp_path, methods=("dpo", "rloo"), proxies=("single",), noises=("0",), seeds=(0, 1),
        failed=(),
    )  # fmt: skip
    results = read_results(runs)
    points = results.points.copy()
    for (method, seed, budget), values in changed.items():
        at = (points["method"] == method) & (points["seed"] == seed)
        at &= points["kl_target_nats"] == budget
        assert at.sum() == 1
        for name, value in values.items():
            points.loc[at, name] = value
    return Results(results.runs, add_labels(points), results.versions)


def _budget(tmp_path: Path) -> float:
    points = _results(tmp_path, {}).points
    return float(sorted(points["kl_target_nats"].dropna().unique())[0])


def test_means_are_over_the_budgets_own_policies(tmp_path: Path) -> None:
    budget = _budget(tmp_path / "first")
    changed = {
        ("dpo", 0, budget): {"gold_mean": 1.0, "samples_drawn": 100.0, "kl_nats": 0.5},
        ("dpo", 1, budget): {"gold_mean": 2.0, "samples_drawn": 300.0, "kl_nats": 0.7},
    }
    table = pareto_frame(_results(tmp_path, changed))
    row = table[(table["method"] == "dpo") & (table["kl_target_nats"] == budget)].iloc[0]
    assert (row["gold"], row["samples_drawn"], row["seeds"]) == (1.5, 200.0, 2)
    assert row["kl_nats"] == pytest.approx(0.6)
    # t of one degree of freedom: 12.706 x .5
    assert row["gold_high"] == pytest.approx(1.5 + 12.706 * 0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("gold", "samples", "outdone"),
    [((2.0, 1.0), (10, 20), (False, True)), ((1.0, 2.0), (10, 20), (False, False)),
     ((1.0, 1.0), (10, 20), (False, True)), ((2.0, 2.0), (10, 10), (False, False))],
)  # fmt: skip
def test_outdone_by_less_cost_or_more_gold(
    tmp_path: Path,
    gold: tuple[float, float],
    samples: tuple[float, float],
    outdone: tuple[bool, bool],
) -> None:
    budget = _budget(tmp_path / "first")
    results = _results(tmp_path, {})
    points = results.points[results.points["kl_target_nats"] == budget].copy()
    for method, value, paid in zip(("dpo", "rloo"), gold, samples, strict=True):
        points.loc[points["method"] == method, ["gold_mean", "samples_drawn"]] = (value, paid)
    table = pareto_frame(Results(results.runs, points, results.versions)).set_index("method")
    found = tuple(bool(table.loc[name, "outdone_by_samples_drawn"]) for name in ("dpo", "rloo"))
    assert found == outdone


def test_a_budget_that_a_seed_missed_is_not_asked(tmp_path: Path) -> None:
    budget = _budget(tmp_path / "first")
    gone = {"status": "unreached", "kl_nats": None, "gold_mean": None}
    table = pareto_frame(_results(tmp_path, {("dpo", 0, budget): gone}))
    row = table[(table["method"] == "dpo") & (table["kl_target_nats"] == budget)].iloc[0]
    assert (row["seeds"], row["seeds_run"]) == (1, 2)
    assert pd.isna(row["outdone_by_samples_drawn"])


def test_selection_pays_per_answer_and_is_compared_with_its_like(tmp_path: Path) -> None:
    runs = write_runs(
        tmp_path, methods=("bon", "dpo"), proxies=("single",), noises=("0",), seeds=(0,), failed=()
    )
    table = pareto_frame(read_results(runs))
    known = dict(table[["method", "paid"]].drop_duplicates().itertuples(index=False, name=None))
    assert known == {"bon": "per answer", "dpo": "once"}


def test_a_decoding_rule_pays_once_and_is_not_compared_by_samples_with_best_of_n(
    tmp_path: Path,
) -> None:
    runs = write_runs(
        tmp_path, methods=("bon", "vas"), proxies=("single",), noises=("0",), seeds=(0,), failed=()
    )
    record = json.loads((runs[1] / "run.json").read_text())
    record["spec"]["methods"][0] |= {"family": "selection", "composes": True}
    (runs[1] / "run.json").write_text(json.dumps(record))
    results = read_results(runs)
    points = results.points.copy()
    ours = points["method"] == "vas"
    points.loc[ours, ["gold_mean", "samples_drawn"]] = (1.0, 10.0)
    points.loc[~ours, ["gold_mean", "samples_drawn"]] = (2.0, 5.0)
    table = pareto_frame(Results(results.runs, points, results.versions))
    vas = table[table["method"] == "vas"]
    assert set(vas["paid"]) == {"once"} and set(vas["family"]) == {"selection"}
    # bon has more gold for fewer samples, but draws them for every answer again
    assert not vas["outdone_by_samples_drawn"].any()


def test_how_a_method_pays_that_no_record_tells_of_is_not_known(tmp_path: Path) -> None:
    runs = write_runs(
        tmp_path, methods=("bon", "dpo"), proxies=("single",), noises=("0",), seeds=(0,), failed=()
    )
    for run in runs:
        record = json.loads((run / "run.json").read_text())
        record["spec"]["methods"] = [
            one for one in record["spec"]["methods"] if one["name"] == "bon"
        ]
        (run / "run.json").write_text(json.dumps(record))
    table = pareto_frame(read_results(runs))
    known = dict(table[["method", "paid"]].drop_duplicates().itertuples(index=False, name=None))
    assert known == {"bon": "per answer", "dpo": ""}
    assert table.loc[table["method"] == "dpo", "outdone_by_samples_drawn"].isna().all()


def test_the_figure_has_a_panel_for_every_axis(tmp_path: Path) -> None:
    table = pareto_frame(_results(tmp_path, {}))
    (drawing,) = draw_pareto(table)
    assert len(drawing.figure.axes) == 5
    assert drawing.name == "pareto" and "KL alone ranks no methods" in drawing.caption
    assert draw_pareto(table.iloc[:0]) == []


def test_of_many_methods_those_that_none_outdoes_have_colors(tmp_path: Path) -> None:
    table = pareto_frame(_results(tmp_path, {}))
    ours = table[table["method"] == "dpo"]
    ahead = {f"outdone_by_{cost}": False for cost in ("samples_drawn", "gradient_steps")}
    behind = {name: True for name in ours.columns if name.startswith("outdone_by_")}
    crowd = pd.concat(
        [ours.assign(method=f"crowd-{number}", **behind) for number in range(12)]
        + [ours.assign(method="ahead", family="", **{**behind, **ahead})]
    )
    (drawing,) = draw_pareto(crowd)
    (legend,) = drawing.figure.legends
    assert [one.get_text() for one in legend.get_texts()] == ["ahead", "12 more methods"]
    (whole,) = draw_pareto(crowd[crowd["method"] != "crowd-0"])
    assert len(whole.figure.legends[0].get_texts()) == 12
