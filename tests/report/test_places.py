"""One answer to where gold peaks and ends: three cells that once had several, and old files."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overopt.errors import UserError
from overopt.report.group import Group
from overopt.report.groups import group_results
from overopt.report.places import FROM_SEEDS, OLDER, ONE_SEED
from overopt.report.stored.contrasts import read_budgets, read_contrasts
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results
from overopt.report.tables.peaks import show_contrasts, summarize
from overopt.report.tables.terminal import run_table
from overopt.spec.columns import POINT_COLUMNS

from .synthetic import write_runs

REPOSITORY = Path(__file__).parents[2]

DPO = [  # (budget, KL, gold) of five seeds, nats and SDs; seed 0 ends far below the last budget
    [(3.5, 3.552, 0.673), (9.0, 9.718, 0.407), (13.0, 11.786, 0.398), (18.0, 13.310, 0.381)],
    [(3.5, 3.494, 0.619), (9.0, 10.279, 0.353), (13.0, 13.097, 0.256), (18.0, 21.524, -0.466)],
    [(3.5, 3.536, 0.774), (9.0, 9.464, 0.492), (13.0, 12.974, 0.487), (18.0, 18.965, 0.031)],
    [(3.5, 3.345, 0.681), (9.0, 9.531, 0.440), (13.0, 10.967, 0.347), (18.0, 17.260, -0.061)],
    [(3.5, 3.483, 0.792), (9.0, 11.113, 0.433), (13.0, 11.280, 0.589), (18.0, 18.661, -0.010)],
]
CHI2_RL = [  # the budget of 2 nats is reached by seeds 2 and 3 only
    [(0.5, 0.49, 0.27), (1.0, 0.985, 0.368)],
    [(0.5, 0.49, 0.26), (1.0, 0.972, 0.342)],
    [(0.5, 0.51, 0.25), (1.0, 1.034, 0.327), (2.0, 1.865, 0.580)],
    [(0.5, 0.50, 0.27), (1.0, 0.991, 0.389), (2.0, 1.909, 0.501)],
    [(0.5, 0.50, 0.29), (1.0, 1.004, 0.407)],
]
ELASTIC = [  # the last budget is reached by seed 1 only
    [(1.0, 1.032, 0.248), (2.0, 1.935, 0.218), (3.5, 3.226, 0.115)],
    [(1.0, 0.900, 0.210), (2.0, 2.319, 0.038), (3.5, 3.773, -0.636), (9.0, 8.879, -1.761)],
    [(1.0, 0.901, 0.198), (2.0, 1.867, 0.279), (3.5, 3.617, 0.098)],
    [(1.0, 1.067, 0.214), (2.0, 2.108, 0.218), (3.5, 3.466, 0.018)],
    [(1.0, 1.094, 0.317), (2.0, 2.009, 0.311)],
]
Seeds = list[list[tuple[float, float, float]]]


def write_old(folder: Path, seeds: Seeds, contrast: dict[str, object] | None) -> Results:
    """A run folder as earlier versions wrote it."""
    folder.mkdir(parents=True)
    targets = sorted({target for points in seeds for target, _, _ in points})
    rows: list[dict[str, object]] = []
    for seed, points in enumerate(seeds):
        cell = {"task": "t", "method": "m", "proxy": "single", "noise": "0", "seed": seed,
                "engine": "native", "along": "step", "n_prompts": 128}  # fmt: skip
        ok = {"status": "ok", "kl_estimator": "rb"}
        rows.append(cell | ok | {"kl_nats": 0.0, "gold_mean": 0.0, "gold_gain_se": 0.0})
        for target, kl_nats, gold in points:
            measured = {"kl_target_nats": target, "kl_nats": kl_nats, "gold_mean": gold}
            rows.append(cell | ok | measured | {"gold_gain_se": 0.04, "proxy_mean": 1.0})
        for target in targets[len(points) :]:
            rows.append(cell | {"status": "unreached", "kl_target_nats": target})
    named_later = ("world", "gold", "proxy_start")
    columns = [name for name in POINT_COLUMNS if name not in named_later]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "points.csv", index=False)
    spec = {"task": {"world": {"seed": 0}}, "gold": {"name": "rule"}}
    (folder / "run.json").write_text(json.dumps({"status": "ok", "spec": spec}))
    if contrast is not None:
        pd.DataFrame([contrast]).to_csv(folder / "contrasts.csv", index=False)
    return read_results([folder])


def old_contrast(peak: float, last: float, rise: float, fall: float) -> dict[str, object]:
    """A row of an earlier ``contrasts.csv``: over seeds +- 0.2, over prompts +- 0.1."""
    row: dict[str, object] = {
        "proxy": "single", "noise": "0", "proxy_width": "", "comparisons": "", "seeds": 5,
        "prompts": 128, "peak_kl_target_nats": peak, "last_kl_target_nats": last,
    }  # fmt: skip
    for name, mean in (("rise", rise), ("fall", fall)):
        row[f"{name}_mean"] = mean
        for over, half in (("seeds", 0.2), ("prompts", 0.1)):
            width = half if mean else 0.0
            row |= {f"{name}_{over}_low": mean - width, f"{name}_{over}_high": mean + width}
    return row | {"rises": True, "falls": fall < 0, "exploratory": False}


def only_group(results: Results) -> Group:
    (group,) = group_results(results)
    return group


def words(results: Results) -> str:
    """Every cell that the terminal and the page show of peaks and ends."""
    groups = group_results(results)
    tables = (summarize(groups), show_contrasts(groups))
    columns = [str(cell) for column in run_table(results).columns for cell in column.cells]
    return "\n".join([*columns, *(cell for table in tables for row in table.rows for cell in row)])


@pytest.mark.parametrize("stored", [True, False])
def test_a_cell_has_one_end(tmp_path: Path, stored: bool) -> None:
    """Once "last gold .33 at 13.3", "-.03 at 17.9" and a fall to -.03 stood side by side."""
    gold = np.array([[point[2] for point in points] for points in DPO])
    rise, last = gold[:, 0].mean(), gold[:, -1].mean()
    results = write_old(
        tmp_path / "run", DPO, old_contrast(3.5, 18.0, rise, last - rise) if stored else None
    )
    places = only_group(results).places
    assert places.peak is not None and places.end is not None and places.fall is not None
    assert (places.peak.kl_target_nats, places.end.kl_target_nats) == (3.5, 18.0)
    assert places.peak.gold.mean == pytest.approx(0.7078)
    assert places.end.gold.mean == pytest.approx(-0.025)
    assert places.fall.mean == pytest.approx(-0.7328)
    assert places.end.kl_nats == pytest.approx((13.31 + 21.524 + 18.965 + 17.26 + 18.661) / 5)
    assert places.note == (OLDER if stored else FROM_SEEDS)
    text = words(results)
    assert "−0.03" in text or "−0.02" in text
    assert "18 → 17.9" in text
    assert "0.33" not in text and "13.3" not in text
    curve = only_group(results).means["gold"]
    assert curve[-1].score.mean == places.end.gold.mean
    assert curve[-1].kl_nats == pytest.approx(places.end.kl_nats)


@pytest.mark.parametrize("stored", [True, False])
def test_a_mean_over_two_of_five_seeds_is_no_peak(tmp_path: Path, stored: bool) -> None:
    contrast = old_contrast(1.0, 1.0, 0.3666, 0.0) if stored else None
    results = write_old(tmp_path / "run", CHI2_RL, contrast)
    group = only_group(results)
    assert group.places.peak is not None and group.places.end is not None
    assert group.places.peak.kl_target_nats == group.places.end.kl_target_nats == 1.0
    assert group.places.peak.gold.mean == pytest.approx(0.3666)
    assert group.places.peak.gold.n_seeds == 5
    assert group.places.fall is None
    assert group.places.verdict == "rises, no fall shown"
    assert "0.54" not in words(results)
    partial = group.means["gold"][-1]
    assert (partial.kl_target_nats, partial.score.n_seeds) == (2.0, 2)
    assert not group.is_whole(partial)


@pytest.mark.parametrize("stored", [True, False])
def test_one_of_five_seeds_is_no_end(tmp_path: Path, stored: bool) -> None:
    at_two = statistics.fmean(points[1][2] for points in ELASTIC)
    at_one = statistics.fmean(points[0][2] for points in ELASTIC)
    contrast = old_contrast(1.0, 2.0, at_one, at_two - at_one) if stored else None
    results = write_old(tmp_path / "run", ELASTIC, contrast)
    group = only_group(results)
    assert group.places.end is not None
    assert group.places.end.kl_target_nats == 2.0
    assert group.places.end.gold.mean == pytest.approx(at_two)
    assert group.places.end.gold.n_seeds == 5
    assert "1.76" not in words(results) and "8.88" not in words(results)
    assert group.means["gold"][-1].score.n_seeds == 1


def test_intervals_of_older_files_add_both_variances(tmp_path: Path) -> None:
    results = write_old(tmp_path / "run", CHI2_RL, old_contrast(1.0, 1.0, 0.3666, 0.0))
    peak = only_group(results).places.peak
    assert peak is not None and peak.gold.se is not None
    # half widths 0.2 = t_4 SE and 0.1 = t_127 SE: t_4 = 2.7764, t_127 = 1.9788
    seeds, prompts = 0.2 / 2.776445, 0.1 / 1.978820
    assert peak.gold.se == pytest.approx(np.hypot(seeds, prompts), rel=1e-5)
    df = (seeds**2 + prompts**2) ** 2 / (seeds**4 / 4 + prompts**4 / 127)
    assert peak.gold.df == pytest.approx(df, rel=1e-4)
    assert peak.gold.over == "seeds and prompts, at most"


def test_an_older_file_of_one_seed_keeps_its_interval_over_prompts(tmp_path: Path) -> None:
    contrast = old_contrast(3.5, 18.0, 0.673, -0.292) | {"seeds": 1, "exploratory": True}
    for name in ("rise_seeds_low", "rise_seeds_high", "fall_seeds_low", "fall_seeds_high"):
        contrast[name] = ""
    places = only_group(write_old(tmp_path / "run", DPO[:1], contrast)).places
    assert places.peak is not None and places.peak.gold.over == "prompts"
    assert places.peak.gold.low == pytest.approx(0.573)
    assert places.end is not None and places.end.gold.mean == 0.381


def test_one_seed_without_a_stored_test_has_an_end_and_no_peak(tmp_path: Path) -> None:
    places = only_group(write_old(tmp_path / "run", DPO[:1], None)).places
    assert places.peak is None and places.fall is None and places.verdict == ""
    assert places.note == ONE_SEED
    assert places.end is not None and places.end.gold.over == "prompts"


def test_points_without_budgets_end_where_the_first_seed_does(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_old(folder, DPO, None)
    points = pd.read_csv(folder / "points.csv", dtype=str, keep_default_na=False)
    points["kl_target_nats"] = ""
    points.to_csv(folder / "points.csv", index=False)
    places = only_group(read_results([folder])).places
    assert places.end is not None
    assert places.end.kl_nats == pytest.approx(13.31)
    assert places.end.gold.n_seeds == 5


def test_policies_that_leapt_over_all_budgets_have_no_end(tmp_path: Path) -> None:
    """A round may begin beyond the last budget; nothing was measured on the way there."""
    folder = tmp_path / "run"
    write_old(folder, DPO, None)
    points = pd.read_csv(folder / "points.csv", dtype=str, keep_default_na=False)
    missed = points.drop_duplicates("seed").assign(kl_target_nats="1", status="unreached")
    numbers = ["kl_nats", "gold_mean", "proxy_mean"]
    missed[[name for name in numbers if name in missed]] = ""
    points["kl_target_nats"] = ""
    pd.concat([points, missed]).to_csv(folder / "points.csv", index=False)
    group = only_group(read_results([folder]))
    assert group.places.end is None and group.places.peak is None
    assert group.places.note == "no peak or end: no budget was reached by all seeds"
    assert [mean.kl_nats for mean in group.means["gold"]] == [0.0]


def test_seeds_of_two_runs_are_told_from_the_points(tmp_path: Path) -> None:
    """Neither run's stored test is about the seeds of both."""
    for name, seeds in (("a", range(3)), ("b", range(3, 6))):
        write_runs(tmp_path / name, methods=("dpo",), proxies=("single",), noises=("0",),
                   seeds=seeds, failed=())  # fmt: skip
    group = only_group(read_results([tmp_path]))
    assert group.n_seeds == 6
    assert group.places.note == FROM_SEEDS
    assert {mean.score.over for mean in group.means["gold"][1:]} == {"seeds and prompts, at most"}


def test_a_stored_end_that_is_not_that_of_the_points_is_refused(tmp_path: Path) -> None:
    (run,) = write_runs(tmp_path, methods=("dpo",), proxies=("single",), noises=("0",), failed=())
    table = pd.read_csv(run / "contrasts.csv")
    table.assign(end_gold=table["end_gold"] + 0.1).to_csv(run / "contrasts.csv", index=False)
    with pytest.raises(UserError, match=r"not those of the points\.csv beside it"):
        group_results(read_results([run]))


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("rises", "False", "its interval says otherwise"),
        ("falls", "perhaps", "allowed are True, False"),
        ("over", "everything", "allowed are seeds and prompts"),
        ("peak_choices", "1.5", "must be a whole number"),
    ],
)
def test_a_damaged_test_is_refused(tmp_path: Path, column: str, value: str, told: str) -> None:
    (run,) = write_runs(tmp_path, methods=("dpo",), proxies=("single",), noises=("0",), failed=())
    table = pd.read_csv(run / "contrasts.csv", dtype=str, keep_default_na=False)
    table.assign(**{column: value}).to_csv(run / "contrasts.csv", index=False)
    with pytest.raises(UserError, match=told):
        read_contrasts(run / "contrasts.csv", {})


def test_files_that_a_run_need_not_have_are_empty_tables(tmp_path: Path) -> None:
    assert read_contrasts(tmp_path / "contrasts.csv", {}).empty
    assert read_budgets(tmp_path / "budgets.csv", {}).empty


def test_committed_results_have_one_peak_and_end_each(committed_results: Path) -> None:
    """Results of any version are read, and what is called a peak or an end is over all seeds."""
    groups = group_results(read_results([committed_results]))
    assert groups
    for group in groups:
        places = group.places
        assert places.end is not None or places.note
        for place in filter(None, (places.peak, places.end)):
            assert place.gold.n_seeds == group.n_seeds
        if places.end is not None:
            # a budget that a seed leapt over has a mean at equal KL, and is no end
            met = [{float(kl) for kl in seed.target_K if kl > 0.0} for seed in group.seeds]
            assert places.end.kl_target_nats == max(set.intersection(*met))
