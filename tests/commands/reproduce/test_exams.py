"""Exams: stored with their settings, found again, sat once, and judged from planted marks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from overopt.commands.arguments import resolve
from overopt.commands.examination.examine import mark_frame, write
from overopt.commands.plan import foresee
from overopt.commands.reproduce import reproduce as module
from overopt.commands.reproduce.from_python import judge
from overopt.commands.reproduce.reproduce import (
    Asked,
    Making,
    exams_of,
    reproduce,
    request_of,
    specs_of,
)
from overopt.errors import UserError
from overopt.papers.contract import SCALES, Arm, Claim, Grid, Marked, Paper, Positive, examined
from overopt.papers.warm2024 import PAPER as WARM
from overopt.report.stored.exams import find_exams
from overopt.report.verdicts.arms import ArmRows
from overopt.report.verdicts.examined.joining import exam_rows, is_exam
from overopt.run.exams.sittings import sittings_of
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec

ARM = examined(Arm("bon", settings=("bon.ns=4",), comparisons=256))
ASKED = ExamSpec()
PAPER = Paper(
    "toy2024",
    "t",
    "https://example.org",
    {scale: Grid(seeds=5) for scale in SCALES},
    (Claim("toy-01", "passes", "it does", "table 1", Positive(Marked(ARM, "gap", "all wins"))),),
)
Value = Callable[[RunSpec, int], dict[tuple[str, str], float]]


def passes(spec: RunSpec, seed: int) -> dict[tuple[str, str], float]:
    return {("gap", "all wins"): 0.6 + 0.01 * seed, ("shift", "weights"): 0.5}


def sat(spec: RunSpec, out: Path, value: Value = passes, asked: ExamSpec = ASKED) -> None:
    """What ``bench examine`` would write of made-up marks."""
    sittings = sittings_of([spec], asked)
    lines = [
        [
            {"exam": exam, "of": of, "value": number, "number": 64}
            for (exam, of), number in value(spec, one.cell.seed).items()
        ]
        for one in sittings
    ]
    write(mark_frame(sittings, lines), [spec], asked, out)


def rows_in(place: Path, spec: RunSpec, asked: ExamSpec = ASKED) -> ArmRows:
    return exam_rows(exams_of(spec, asked, find_exams([place])))


@pytest.fixture
def spec() -> RunSpec:
    return resolve(request_of(ARM, Grid(seeds=5)))


def test_an_arm_is_examined_without_its_method() -> None:
    assert is_exam(ARM) and ARM.settings == () and ARM.name.startswith("exam, single")
    warm = examined(Arm("bon", "warm", settings=("warm.members=2",)))
    assert warm.settings == ("warm.members=2",)


def test_marks_are_of_the_arm_that_sat_them(spec: RunSpec, tmp_path: Path) -> None:
    sat(spec, tmp_path)
    found = rows_in(tmp_path, spec)
    assert [one.marks["gap", "all wins"] for one in found.worlds[0]] == [
        0.6,
        0.61,
        0.62,
        0.63,
        0.64,
    ]
    for other in (
        Arm("exam"),
        Arm("exam", noise="0", comparisons=256),
        Arm("exam", proxy="uwo", comparisons=256),
        Arm("exam", proxy_width=16, comparisons=256),
        Arm("exam", comparisons=256, settings=("proxy.training.epochs=1",)),
    ):
        wanted = resolve(request_of(other, Grid(seeds=5)))
        assert rows_in(tmp_path, wanted).missing == "not examined"
    assert rows_in(tmp_path, spec, ExamSpec(sets_per_prompt=5)).missing == "not examined"


def test_seeds_of_several_folders_come_together(spec: RunSpec, tmp_path: Path) -> None:
    sat(spec.model_copy(update={"seeds": (0, 1)}), tmp_path / "a")
    sat(
        spec.model_copy(update={"seeds": (1, 2)}),
        tmp_path / "b",
        lambda spec, seed: {("x", "y"): 0.0},
    )
    found = rows_in(tmp_path, spec)
    assert [(one.seed, ("x", "y") in one.marks) for one in found.worlds[0]] == [
        (0, False), (1, False), (2, True),
    ]  # fmt: skip
    assert found.folders == ("a", "b")


def test_what_is_missing_is_sat_once_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "find", lambda name: PAPER)
    sittings: list[RunSpec] = []

    def run(spec: RunSpec, out: Path) -> list[Path]:
        raise AssertionError("an examined arm is not run")

    def draw(spec: RunSpec, stream: StreamSpec, out: Path) -> int:
        raise AssertionError("this paper draws nothing beyond the pool")

    def examine(spec: RunSpec, asked: ExamSpec, out: Path) -> int:
        sittings.append(spec)
        sat(spec, out)
        return 0

    asked = Asked("toy2024", "smoke", (), False, tmp_path, False)
    by = Making(run, draw, examine, lambda specs: foresee(specs, tmp_path / "store", 2))
    for _ in range(2):
        assert reproduce(asked, resolve, by) == 0
    assert len(sittings) == 1
    document = json.loads((tmp_path / "toy2024-smoke" / "verdicts.json").read_text())
    assert [one["verdict"] for one in document["claims"]] == ["reproduced"]
    capsys.readouterr()
    assert reproduce(asked._replace(plan=True), resolve, by) == 0
    told = capsys.readouterr().out
    assert "exam, single" in told and "yes" in told


def test_a_folder_of_exams_alone_is_judged_from_python(tmp_path: Path) -> None:
    specs = specs_of(WARM, "standard", resolve)
    exams = {arm: spec for arm, spec in specs.items() if is_exam(arm)}
    assert len(exams) == 4

    def value(spec: RunSpec, seed: int) -> dict[tuple[str, str], float]:
        """Weights are above the chord, as good as predictions, and remember less.

        From swapped labels they know the others less well, and are better under shift.
        """
        (proxy,), (noise,) = spec.proxies, spec.noises
        shifted = 0.82 if noise.amount else 0.8
        gain = 0.03 if proxy.name == "baklava" else 0.01 if proxy.config["same_rate"] else 0.02
        off = 0.001 * np.random.default_rng((seed, int(1000 * gain))).standard_normal()
        found = {}
        for exam, weights, predictions in (
            ("shift", shifted, 0.8), ("kept labels", 0.9, 0.92), ("swapped labels", 0.2, 0.3),
        ):  # fmt: skip
            for at in ("", " at 0.25", " at 0.5", " at 0.75"):
                found[exam, f"weights{at}"] = weights + off + (gain if not at else 0.0)
                found[exam, f"predictions{at}"] = predictions + 0.5 * off
                found[exam, f"members{at}"] = weights - 0.02 if at else weights
        orders = {"best first": 0.82, "random order": 0.81, "worst first": 0.8}
        return found | {("shift", of): number + off for of, number in orders.items()}

    for number, spec in enumerate(exams.values()):
        sat(spec, tmp_path / str(number), value)
    found = judge("warm2024", tmp_path).verdicts["verdict"]
    for claim in ("warm-01", "warm-02", "warm-03", "warm-08"):
        assert found[claim] == "reproduced", claim
    assert found["warm-04"] == found["warm-07"] == "not run here"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda record, marks: (record.replace('"format": 1', '"format": 2'), marks), "format"),
        (lambda record, marks: ("[1]", marks), "is no JSON object"),
        (lambda record, marks: (record[:-9], marks), "is damaged"),
        (lambda record, marks: (record, marks.replace(",value,", ",v,", 1)), "lacks value"),
        (lambda record, marks: (record, marks.replace(",0.61,", ",,", 1)), "no value in some"),
        (lambda record, marks: (record, marks.replace(",0.61,", ",much,", 1)), "'much'"),
        (lambda record, marks: (record, marks.replace("\n0,", "\n1,", 1)), "counts 1 runs wrongly"),
        (lambda record, marks: (record, marks.replace("shift,weights", "gap,all wins")), "twice"),
    ],
)  # fmt: skip
def test_a_damaged_folder_is_refused_in_one_sentence(
    spec: RunSpec, tmp_path: Path, spoil: Callable[[str, str], tuple[str, str]], said: str
) -> None:
    sat(spec, tmp_path)
    record, marks = tmp_path / "exams.json", tmp_path / "exams.csv"
    spoiled = spoil(record.read_text(), marks.read_text())
    record.write_text(spoiled[0])
    marks.write_text(spoiled[1])
    with pytest.raises(UserError, match=said) as refused:
        find_exams([tmp_path])
    assert "\n" not in str(refused.value)


def test_a_record_of_another_version_is_left_out_and_told(spec: RunSpec, tmp_path: Path) -> None:
    sat(spec, tmp_path)
    path = tmp_path / "exams.json"
    record = json.loads(path.read_text())
    record["specs"][0]["unknown"] = 1
    path.write_text(json.dumps(record))
    told: list[str] = []
    assert find_exams([tmp_path], told.append) == []
    assert "another version" in told[0]
