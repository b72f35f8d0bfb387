"""Best-of-n beyond the pool: drawn once, stored with its settings, found again, and judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overopt.commands.arguments import resolve
from overopt.commands.extrapolation.extrapolate import grouped, write
from overopt.commands.plan import foresee
from overopt.commands.reproduce.from_python import judge
from overopt.commands.reproduce.reproduce import (
    Asked,
    Making,
    parts_of,
    reproduce,
    request_of,
    specs_of,
)
from overopt.errors import UserError
from overopt.papers.contract import Arm, Foretold, Form, Grid, Paper
from overopt.papers.gao2022 import BON
from overopt.papers.gao2022 import PAPER as GAO
from overopt.report.stored.streams import find_streams
from overopt.report.verdicts.arms import ArmRows, Scope, SeedRows
from overopt.report.verdicts.beyond import Part, drawn_of, with_streams
from overopt.report.verdicts.judging import judge as judge_claims
from overopt.run.streamed.streams import streams_of
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec
from overopt.stats.arrays import Floats
from overopt.stats.pools.best_of_n import kl_bound
from overopt.stats.pools.extrapolation import BestOfN
from overopt.stats.pools.n_grids import fit_grid

STREAM = StreamSpec(prompts=8, samples_per_prompt=1 << 18)
assert GAO.grids["standard"].stream == STREAM
FIRST = replace(GAO, claims=tuple(one for one in GAO.claims if one.id == "gao-01"))
"""gao2022 with its first claim alone."""
Shape = Callable[[Floats], Floats]


def bon(d_K: Floats) -> Floats:
    return d_K * (1.0 - 0.12 * d_K)


def rl(d_K: Floats) -> Floats:
    return d_K * (1.0 - 0.4 * np.log(np.maximum(d_K, 1e-9)))


def curve(shape: Shape, seed: int, n_max: int = 65_536) -> BestOfN:
    n_K = fit_grid(n_max)
    kl_K = kl_bound(n_K)
    noise_K = 0.01 * np.random.default_rng(seed).standard_normal(len(n_K))
    gold_K = np.where(n_K > 1, shape(np.sqrt(kl_K)) + noise_K, 0.0)
    return BestOfN(n_K, kl_K, kl_K, gold_K, np.full(len(n_K), np.nan), np.sqrt(kl_K))


def drawn(spec: RunSpec, out: Path, shape: Shape = bon, n_max: int = 65_536) -> None:
    """What ``bench extrapolate`` would write of made-up curves."""
    asked = STREAM.model_copy(update={"n_max": n_max})
    streams = streams_of([spec], asked)
    curves = [curve(shape, one.cell.seed, n_max) for one in streams]
    write(grouped(streams, curves, asked.fitted_up_to), [spec], asked, out)


def found_in(place: Path, spec: RunSpec) -> list[Part]:
    return [part for one in find_streams([place]) for part in parts_of(spec, one.stream, [one])]


def rows_of(spec: RunSpec) -> ArmRows:
    """Seeds of an arm that were measured at nothing but the start."""
    zero = np.zeros(1)
    seeds = tuple(SeedRows(seed, zero, zero * np.nan, {}, None) for seed in spec.seeds)
    return ArmRows({0: seeds})


@pytest.fixture
def spec() -> RunSpec:
    return resolve(request_of(BON, Grid(seeds=5)))


@pytest.mark.parametrize(
    ("shape", "verdict"), [(bon, "reproduced"), (rl, "contradicted"), (np.sqrt, "contradicted")]
)
def test_the_claim_follows_the_form_that_was_planted(
    spec: RunSpec, tmp_path: Path, shape: Shape, verdict: str
) -> None:
    drawn(spec, tmp_path, shape)
    measured = {BON: with_streams(rows_of(spec), spec, found_in(tmp_path, spec))}
    [found] = judge_claims(FIRST.claims, measured)
    assert found.verdict == verdict and found.n_seeds == 5


def test_errors_are_those_of_the_planted_form(spec: RunSpec, tmp_path: Path) -> None:
    drawn(spec, tmp_path)
    measured = {BON: with_streams(rows_of(spec), spec, found_in(tmp_path, spec))}
    scope = Scope(measured, (BON,))
    read = {
        form: float(Foretold(BON, form, log=False).read(scope)[0].mean())
        for form in (Form.BON, Form.RL, None)
    }
    assert read[Form.BON] < 0.03 < read[Form.RL] < read[None]
    far_K = fit_grid(65_536)[fit_grid(65_536) > 1_000]
    near_K = fit_grid(1_000)
    near_d, far_d = (np.sqrt(kl_bound(n_K)) for n_K in (near_K[near_K < 1_000], far_K))
    slope = float(near_d @ bon(near_d)) / float(near_d @ near_d)
    line = float(np.sqrt(np.mean((bon(far_d) - slope * far_d) ** 2)))
    assert read[None] == pytest.approx(line, abs=0.01)


def test_a_stream_is_of_the_arm_that_it_was_drawn_for(spec: RunSpec, tmp_path: Path) -> None:
    drawn(spec, tmp_path)
    assert set(drawn_of(spec, found_in(tmp_path, spec))) == {(0, seed) for seed in range(5)}
    for other in (
        Arm("bon", noise="0"),
        Arm("bon", proxy="uwo"),
        Arm("bon", comparisons=256),
        Arm("bon", proxy_width=16),
        Arm("bon", settings=("proxy.training.epochs=1",)),
    ):
        wanted = resolve(request_of(other, Grid(seeds=5)))
        assert drawn_of(wanted, found_in(tmp_path, wanted)) == {}


def test_of_two_streams_the_longer_counts(spec: RunSpec, tmp_path: Path) -> None:
    drawn(spec, tmp_path / "a")
    drawn(spec, tmp_path / "b", n_max=2_048)
    assert all(one.n_K[-1] == 65_536 for one in drawn_of(spec, found_in(tmp_path, spec)).values())


def test_a_stream_that_is_too_short_is_not_judged(spec: RunSpec, tmp_path: Path) -> None:
    drawn(spec, tmp_path, n_max=32_768)
    measured = {BON: with_streams(rows_of(spec), spec, found_in(tmp_path, spec))}
    [found] = judge_claims(FIRST.claims, measured)
    assert found.verdict == "not run here" and "n = 60,000 was not drawn" in found.reason


def test_a_stream_of_another_size_is_another_setting(spec: RunSpec, tmp_path: Path) -> None:
    drawn(spec, tmp_path, n_max=32_768)
    assert parts_of(spec, STREAM, find_streams([tmp_path])) == []
    drawn(spec, tmp_path / "whole")
    assert len(parts_of(spec, STREAM, find_streams([tmp_path]))) == 1


def test_what_is_missing_is_drawn_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tuple(one for one in GAO.figures if one.name == FIRST.claims[0].figure)
    only = Paper("toy2024", "t", "https://example.org", GAO.grids, FIRST.claims, figures,
                 streamed=(BON,))  # fmt: skip
    monkeypatch.setattr("overopt.commands.reproduce.reproduce.find", lambda name: only)
    asked: list[StreamSpec] = []

    def draw(spec: RunSpec, stream: StreamSpec, out: Path) -> int:
        asked.append(stream)
        drawn(spec, out)
        return 0

    def examine(spec: RunSpec, exam: ExamSpec, out: Path) -> int:
        raise AssertionError("this paper examines nothing")

    by = Making(
        lambda spec, out: [], draw, examine, lambda specs: foresee(specs, tmp_path / "store", 2)
    )
    drawn(specs_of(only, "standard", resolve)[BON], tmp_path / "runs" / "short", n_max=2_048)
    request = Asked("toy2024", "standard", (), False, tmp_path, False)
    for _ in range(2):
        assert reproduce(request, resolve, by) == 0
    assert asked == [GAO.grids["standard"].stream]
    capsys.readouterr()
    assert reproduce(request._replace(plan=True), resolve, by) == 0
    told = capsys.readouterr().out
    assert "to n = 65,536" in told and told.count("yes") == 1
    assert reproduce(request._replace(scale="smoke"), resolve, by) == 0
    assert len(asked) == 1, "the smallest grid draws none"


def test_a_folder_of_streams_alone_is_judged_from_python(tmp_path: Path) -> None:
    """What is fitted is drawn beside a run's points, and without any there is no arm."""
    drawn(specs_of(GAO, "standard", resolve)[BON], tmp_path / "streams")
    found = judge("gao2022", tmp_path).verdicts.loc["gao-01"]
    assert found["verdict"] == "not run here" and "not run" in found["reason"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda record, curves: (record.replace('"format": 1', '"format": 2'), curves), "format"),
        (lambda record, curves: ("[1]", curves), "is no JSON object"),
        (lambda record, curves: (record[:-9], curves), "is damaged"),
        (lambda record, curves: (record, curves.replace("gold_gain,", "g,", 1)), "lacks gold_gain"),
        (lambda record, curves: (record, curves.replace("single", "", 1)), ""),
        (lambda record, curves: (record, curves.replace(",2,True", ",two,True", 1)), "n = 'two'"),
        (lambda record, curves: (record, curves.replace(",2,True", ",,True", 1)), "no n in some"),
    ],
)  # fmt: skip
def test_a_damaged_folder_is_refused_in_one_sentence(
    spec: RunSpec, tmp_path: Path, spoil: Callable[[str, str], tuple[str, str]], said: str
) -> None:
    drawn(spec, tmp_path)
    record, curves = tmp_path / "streams.json", tmp_path / "best_of_n.csv"
    spoiled = spoil(record.read_text(), curves.read_text())
    record.write_text(spoiled[0])
    curves.write_text(spoiled[1])
    if not said:
        assert len(drawn_of(spec, found_in(tmp_path, spec))) == 5, "one row is of nobody"
        return
    with pytest.raises(UserError, match=said) as refused:
        find_streams([tmp_path])
    assert "\n" not in str(refused.value)


def test_a_record_of_another_version_is_left_out_and_told(spec: RunSpec, tmp_path: Path) -> None:
    drawn(spec, tmp_path)
    path = tmp_path / "streams.json"
    record = json.loads(path.read_text())
    record["specs"][0]["unknown"] = 1
    path.write_text(json.dumps(record))
    told: list[str] = []
    assert find_streams([tmp_path], told.append) == []
    assert "another version" in told[0]
