"""One command with axes asks for one run per combination of levels, and no level is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from overopt.commands.arguments import resolve
from overopt.commands.axes.grid import resolve_all
from overopt.commands.from_python import _axes
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.spec.documents import RECORD_FORMAT
from overopt.spec.run import RunSpec


def _runs(axis: list[str], **more: Any) -> list[RunSpec]:
    asked: dict[str, Any] = {"method": ["bon"], "task": "tabular", "seeds": 1, **more}
    return resolve_all(Request(axis=axis, **asked))


def test_without_axes_it_is_the_same_run() -> None:
    asked = Request(method=["bon"], task="tabular")
    assert resolve_all(asked) == [resolve(asked)]
    assert "levels" not in resolve(asked).to_json()


def test_axes_that_are_options_are_those_options() -> None:
    (run,) = _runs(["comparisons=128,256", "width=8,16", "noise=0,0.25"])
    assert (run.comparisons, run.proxy_widths) == ((128, 256), (8, 16))
    assert [noise.label for noise in run.noises] == ["0", "0.25"]
    assert run.levels == ()


def test_levels_of_the_task_are_crossed() -> None:
    runs = _runs(["policy-width=16,32", "epochs=1,4"])
    assert [run.place for run in runs] == [
        f"policy.architecture.width={width}, proxy.training.epochs={epochs}"
        for width in (16, 32)
        for epochs in (1, 4)
    ]
    for run, width, epochs in zip(runs, (16, 16, 32, 32), (1, 4, 1, 4), strict=True):
        assert run.task.policy.architecture is not None
        assert run.task.policy.architecture.width == width
        assert run.task.proxy.training.epochs == epochs and not run.standard


def test_a_proxys_axis_leaves_the_others_alone() -> None:
    runs = _runs(["uwo.members=1,3", "uwo.uncertainty_weight=0,0.5"], proxy=["single", "uwo"])
    seen = [
        (run.proxies[0].name, dict(run.proxies[0].config), [level.value for level in run.levels])
        for run in runs
    ]
    assert [name for name, *_ in seen] == ["single", "uwo", "uwo", "uwo", "uwo"]
    assert [levels for *_, levels in seen] == [[], [1, 0], [1, 0.5], [3, 0], [3, 0.5]]
    assert [config["uncertainty_weight"] for name, config, _ in seen if name == "uwo"] == [
        0.0, 0.5, 0.0, 0.5
    ]  # fmt: skip


def test_a_method_that_sees_no_proxy_runs_once_whatever_varies_in_proxies() -> None:
    runs = _runs(
        ["uwo.members=1,3", "epochs=1,4", "dpo.beta=0.1,0.2"],
        method=["dpo", "bon"],
        proxy=["single", "uwo"],
    )
    dpo = [run for run in runs if run.methods[0].name == "dpo"]
    assert [run.place for run in dpo] == [
        "proxy.training.epochs=1, dpo.beta=0.1", "proxy.training.epochs=1, dpo.beta=0.2"
    ]  # fmt: skip
    bon = [run for run in runs if run.methods[0].name == "bon"]
    assert len(bon) == 2 * 3 and len(runs) == 8


@pytest.mark.parametrize(
    ("axis", "more", "said"),
    [
        (["width"], {}, "write it as KEY=VALUE,VALUE"),
        (["width=8,,16"], {}, "write it as KEY=VALUE,VALUE"),
        (["width=8,8"], {}, "8 comes twice"),
        (["uwo.members=1,1.0"], {"proxy": ["uwo"]}, "1.0 comes twice"),
        (["epochs=1", "proxy.training.epochs=2"], {}, "has an axis already"),
        (["width=wide"], {}, "its levels are whole numbers"),
        (["width=8"], {"proxy_width": [16]}, "is --proxy-width, which is given too"),
        (["epochs=1,2"], {"settings": ["proxy.training.epochs=3"]}, "--set fixes it too"),
        (["world.seed=1,2"], {}, "give --worlds or --world"),
        (["uwo.members=1,3"], {}, "this run has no uwo"),
        (["members=1,3"], {"proxy": ["uwo"]}, "Write it as uwo.members"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    axis: list[str], more: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        _runs(axis, **more)


def test_commands_of_one_run_refuse_axes() -> None:
    with pytest.raises(UserError, match="takes one"):
        resolve(Request(method=["bon"], task="tabular", axis=["width=8,16"]))


def test_rounds_are_an_axis() -> None:
    runs = _runs([], method=["rloo"], rounds=3)
    assert [run.place for run in runs] == [f"rounds.count={k}" for k in (1, 2, 3)]
    assert [run.task.round for run in runs] == [1, 2, 3]
    assert runs == _runs(["rounds=1,2,3"], method=["rloo"])
    with pytest.raises(UserError, match="--rounds 0: it is a count"):
        _runs([], method=["rloo"], rounds=0)
    with pytest.raises(UserError, match="has an axis already"):
        _runs(["rounds=1,2"], method=["rloo"], rounds=3)


def test_python_takes_axes_as_a_mapping() -> None:
    typed = _axes({"uwo.members": [1, 3], "error": ["normal", "levy"]})
    assert typed == ["uwo.members=1,3", "error=normal,levy"]
    assert _axes(["width=8,16"]) == ["width=8,16"]


def test_a_stored_level_is_run_again_as_it_was(tmp_path: Path) -> None:
    run = _runs(["uwo.members=1,3"], proxy=["uwo"])[1]
    record = {"format": RECORD_FORMAT, "spec": run.to_json(), "own_files": {}, "arguments": []}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert resolve_all(Request(stored=tmp_path / "run.json")) == [run]
