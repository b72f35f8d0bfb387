"""``bench reproduce`` from what is asked to the page, with runs played by written folders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from overopt.__main__ import main
from overopt.commands.arguments import resolve
from overopt.commands.plan import foresee
from overopt.commands.reproduce import reproduce as module
from overopt.commands.reproduce.reproduce import (
    Asked,
    Making,
    joined,
    reproduce,
    request_of,
    specs_of,
    stored,
)
from overopt.errors import UserError
from overopt.papers.contract import (
    SCALES,
    Arm,
    Checked,
    Claim,
    Exact,
    Figure,
    Gold,
    Grid,
    Hump,
    Paper,
    more,
)
from overopt.report.quantities import show_duration
from overopt.report.stored.run_folder import read_run
from overopt.report.stored.schema import MEASURED
from overopt.report.verdicts.arms import OutOfReach
from overopt.report.verdicts.gathering import gather
from overopt.report.verdicts.statistics import reading_weights
from overopt.run.forecasts.stages import Forecast
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec
from report.synthetic import write_runs

PLAIN, PENALIZED = Arm("rloo"), Arm("rloo", settings=("rloo.beta=0.1",))
ENSEMBLE = Arm("rloo", proxy="uwo")
PAPER = Paper(
    name="toy2024",
    title="A <toy> paper",
    url="https://example.org/toy",
    grids={scale: Grid(seeds=5) for scale in SCALES},
    claims=(
        Claim("toy-01", "gold <humps>", "it does", "section 1", Hump(PLAIN), figure="curves"),
        Claim("toy-02", "more", "it is", "section 2", more(Gold(ENSEMBLE), Gold(PLAIN))),
        Claim("toy-03", "a price", "it is", "section 3", more(Gold(PENALIZED), Gold(PLAIN))),
        Claim("toy-04", "same", "=", "w", Exact(lambda: Checked(True, 0.0, 0.0, "1 = 1"), "1 = 1")),
        Claim("toy-05", "later", "?", "w", None, "a rule", needs="streams"),
    ),
    figures=(Figure("curves", "figure 1", "sqrt_kl", "gold_mean", (("plain", PLAIN),)),),
)


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "find", lambda name: PAPER)
    monkeypatch.setattr(module, "names", lambda: ["toy2024"])
    yield


class Played:
    """Runs that are folders of made-up points, under the specification that was asked."""

    def __init__(self) -> None:
        self.asked: list[RunSpec] = []

    def __call__(self, spec: RunSpec, out: Path) -> list[Path]:
        self.asked.append(spec)
        (method,) = spec.methods
        place = out / f"part-{len(self.asked)}"
        (folder,) = write_runs(
            place,
            [method.name],
            [proxy.name for proxy in spec.proxies],
            [noise.label for noise in spec.noises],
            spec.seeds,
            failed=(),
        )
        record = json.loads((folder / "run.json").read_text())
        record["spec"] = spec.to_json()
        (folder / "run.json").write_text(json.dumps(record))
        points = pd.read_csv(folder / "points.csv")
        points["comparisons"], points["proxy_width"] = spec.comparisons[0], spec.proxy_widths[0]
        points["proxy_start"] = spec.proxy_starts[0]
        points.to_csv(folder / "points.csv", index=False)
        for name in ("contrasts.csv", "budgets.csv"):
            (folder / name).unlink()
        return [folder]


def no_streams(spec: RunSpec, stream: StreamSpec, out: Path) -> int:
    raise AssertionError("this paper draws nothing beyond the pool")


def no_exams(spec: RunSpec, exam: ExamSpec, out: Path) -> int:
    raise AssertionError("this paper examines nothing")


def no_forecast(specs: Sequence[RunSpec]) -> Forecast:
    raise AssertionError("nobody asked what it costs")


def making(run: Played) -> Making:
    """Runs alone."""
    return Making(run, no_streams, no_exams, no_forecast)


def asked(out: Path, results: tuple[Path, ...] = (), plan: bool = False) -> Asked:
    return Asked("toy2024", "smoke", results, plan, out, False)


def verdicts(out: Path, name: str = "toy2024-smoke") -> dict[str, str]:
    document = json.loads((out / name / "verdicts.json").read_text(encoding="utf-8"))
    return {one["claim"]: one["verdict"] for one in document["claims"]}


def test_what_is_missing_is_run_once_and_judged(tmp_path: Path) -> None:
    run = Played()
    assert reproduce(asked(tmp_path), resolve, making(run)) == 0
    assert [
        ([proxy.name for proxy in spec.proxies], spec.methods[0].config["beta"])
        for spec in run.asked
    ] == [(["single", "uwo"], 0.0), (["single"], 0.1)]
    first = verdicts(tmp_path)
    assert first["toy-01"] == "reproduced" and first["toy-05"] == "not run here"
    page = tmp_path / "toy2024-smoke" / "index.html"
    before = page.read_bytes()
    assert reproduce(asked(tmp_path), resolve, making(run)) == 0
    assert len(run.asked) == 2, "everything is stored"
    assert page.read_bytes() == before


def test_what_was_killed_before_its_first_run_continues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder is there, with a draft in it."""
    draft = tmp_path / "runs" / "reviews" / "rloo" / ".draft"
    draft.mkdir(parents=True)
    (draft / "run.json").write_text("{")
    by = making(Played())._replace(foresee=lambda specs: foresee(specs, tmp_path / "store", 2))
    assert reproduce(asked(tmp_path, plan=True), resolve, by) == 0
    assert "all runs are stored" not in capsys.readouterr().out
    assert reproduce(asked(tmp_path), resolve, making(Played())) == 0
    assert verdicts(tmp_path)["toy-01"] == "reproduced"


def test_a_run_at_other_settings_is_not_an_arm_s(tmp_path: Path) -> None:
    run = Played()
    spec = resolve(request_of(PENALIZED, Grid(seeds=5)))
    run(spec, tmp_path / "stored")
    judged = asked(tmp_path / "out", results=(tmp_path / "stored",))
    assert reproduce(judged, resolve, making(run)) == 0
    assert len(run.asked) == 1, "nothing runs where results are given"
    found = verdicts(tmp_path / "out")
    assert found["toy-01"] == "not run here"  # the only run has a penalty


def test_an_arm_whose_proxies_say_what_they_start_from_is_found(tmp_path: Path) -> None:
    arm = Arm("bon", proxy="warm")
    spec = resolve(request_of(arm, Grid(seeds=5)))
    assert spec.proxy_starts == ("scratch",) and spec.starts_of(spec.proxies[0]) == ("policy",)
    [folder] = Played()(spec, tmp_path)
    points = pd.read_csv(folder / "points.csv")
    points["proxy_start"], points["proxy_width"] = "policy", None
    points.to_csv(folder / "points.csv", index=False)
    found = gather({arm: spec}, [read_run(folder)])
    assert len(found[arm].worlds[0]) == 5


def test_an_arm_is_not_read_where_it_leapt(tmp_path: Path) -> None:
    arm = Arm("bon")
    spec = resolve(request_of(arm, Grid(seeds=5)))
    [folder] = Played()(spec, tmp_path)
    points = pd.read_csv(folder / "points.csv")
    first = points.loc[points["kl_nats"] > 0, "kl_nats"].min()
    empty = dict.fromkeys(MEASURED)
    row = points.iloc[[1]].assign(kl_target_nats=first / 2, status="unreached", seed=3, **empty)
    points["along"] = row["along"] = "step"
    pd.concat([points, row]).to_csv(folder / "points.csv", index=False)
    seeds = gather({arm: spec}, [read_run(folder)])[arm].worlds[0]
    leapt = [one.seed for one in seeds if one.from_nats > 0.0]
    assert leapt == [3]
    with pytest.raises(OutOfReach, match="leapt over"):
        reading_weights(seeds[3], first / 3, arm)
    assert reading_weights(seeds[2], first / 3, arm).sum() == pytest.approx(1.0)


def test_an_arm_with_a_flaw_is_told_from_the_arm_beside_it(tmp_path: Path) -> None:
    """A run with a flaw holds the cells without one as well; another dose is another arm."""
    plain = Arm("dpo")
    flawed, dearer = replace(plain, flaw="coverage:0.3"), replace(plain, flaw="coverage:0.6")
    specs = {arm: resolve(request_of(arm, Grid(seeds=5))) for arm in (plain, flawed, dearer)}
    spec = specs[flawed]
    labels = ["0.25", "0.25 coverage:0.3"]
    (folder,) = write_runs(tmp_path, ["dpo"], ["single"], labels, spec.seeds, failed=())
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"spec": spec.to_json()}))
    points = pd.read_csv(folder / "points.csv")
    points["comparisons"], points["proxy_width"] = spec.comparisons[0], spec.proxy_widths[0]
    points["proxy_start"] = spec.proxy_starts[0]
    points.to_csv(folder / "points.csv", index=False)
    found = gather(specs, [read_run(folder)])
    assert found[dearer].missing == "not run"
    for arm, label in zip((plain, flawed), labels, strict=True):
        gold = points[(points["noise"] == label) & (points["seed"] == 0)].sort_values("kl_nats")
        (rows, *_) = found[arm].worlds[0]
        assert rows.column("gold_mean").tolist() == gold["gold_mean"].tolist()
    assert flawed.name == "dpo, single, noise 0.25, flaw coverage:0.3"


def test_the_page_is_escaped_and_loads_nothing(tmp_path: Path) -> None:
    reproduce(asked(tmp_path), resolve, making(Played()))
    page = (tmp_path / "toy2024-smoke" / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page and "<script" not in page
    assert "gold &lt;humps&gt;" in page and "<humps>" not in page and "<toy>" not in page
    assert page.count("src='data:image/png;base64,") == 1
    assert "src='http" not in page


def test_a_plan_runs_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells what the arms that are not stored cost, which two processors share."""
    run, out = Played(), tmp_path / "out"
    specs: list[RunSpec] = []

    def foreseen(missing: Sequence[RunSpec]) -> Forecast:
        specs.extend(missing)
        return foresee(missing, tmp_path / "store", 2)

    by = making(run)._replace(foresee=foreseen)
    assert reproduce(asked(out, plan=True), resolve, by) == 0
    told = capsys.readouterr().out
    assert "rloo, uwo, noise 0.25" in told and "no" in told
    [cost] = [line for line in told.splitlines() if line.startswith("runs that are not stored")]
    work_s = sum(one.wall_s or 0.0 for one in foresee(specs, tmp_path / "store", 1).stages)
    assert f"about {show_duration(work_s / 2)}, and {show_duration(work_s)} of one" in cost
    assert [len(spec.proxies) for spec in specs] == [2, 1]
    assert not run.asked and not out.exists() and not (tmp_path / "store").exists()


@pytest.mark.parametrize("words", [["list"], ["itp2025", "--plan"]])
def test_what_only_shows_leaves_no_folder(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["bench", "reproduce", *words, "--store", "store"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert not list(tmp_path.iterdir())


def test_a_plan_of_what_is_stored_costs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reproduce(asked(tmp_path), resolve, making(Played()))
    capsys.readouterr()
    assert reproduce(asked(tmp_path, plan=True), resolve, making(Played())) == 0
    assert "all runs are stored" in capsys.readouterr().out


def test_results_that_are_no_folder_are_told(tmp_path: Path) -> None:
    for plan in (False, True):
        wrong = asked(tmp_path, results=(tmp_path / "none",), plan=plan)
        with pytest.raises(UserError, match=r"--results .*none: it is not a folder"):
            reproduce(wrong, resolve, making(Played()))


def test_arms_join_where_they_differ_in_the_proxy_only() -> None:
    specs = [resolve(request_of(arm, Grid())) for arm in (PLAIN, ENSEMBLE, PENALIZED, PLAIN)]
    assert [len(spec.proxies) for spec in joined(specs)] == [2, 1]


def test_a_paper_of_exact_claims_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = Paper("exact2024", "t", "https://example.org", PAPER.grids, PAPER.claims[3:])
    monkeypatch.setattr(module, "find", lambda name: exact)
    run = Played()
    assert reproduce(asked(tmp_path), resolve, making(run)) == 0
    assert not run.asked
    assert verdicts(tmp_path, "exact2024-smoke") == {
        "toy-04": "reproduced",
        "toy-05": "not run here",
    }


def test_a_run_without_the_looks_that_a_paper_asks_for_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claims are judged meanwhile; the run with them is preferred once it is there."""
    run = Played()
    assert reproduce(asked(tmp_path), resolve, making(run)) == 0
    looking = replace(PAPER, looked={"separation": (PLAIN,)})
    monkeypatch.setattr(module, "find", lambda name: looking)
    specs = specs_of(looking, "smoke", resolve)
    assert [arm for arm, spec in specs.items() if spec.looks] == [PLAIN]
    before = gather(specs, stored((tmp_path / "runs",)).runs)
    assert len(before[PLAIN].worlds[0]) == 5 and not before[PLAIN].looks
    asked_before = len(run.asked)
    for _ in range(2):
        assert reproduce(asked(tmp_path), resolve, making(run)) == 0
    (again,) = run.asked[asked_before:]
    assert again.looks == ("separation",) and [one.name for one in again.proxies] == ["single"]
    after = gather(specs, stored((tmp_path / "runs",)).runs)
    assert after[PLAIN].looks == {"separation"}


def test_an_arm_on_another_task_takes_nothing_of_the_grid_but_seeds_and_worlds() -> None:
    grid = Grid(seeds=3, worlds=2, settings=("rollout.max_steps=7",), kl_grid_nats=(0.5,))
    there = request_of(Arm("bon", task="tabular", settings=("proxy.comparisons=64",)), grid)
    assert (there.task, there.seeds, there.worlds) == ("tabular", 3, 2)
    assert there.settings == ["proxy.comparisons=64"] and there.kl_grid == []
    assert request_of(Arm("bon"), grid).settings == ["rollout.max_steps=7"]
