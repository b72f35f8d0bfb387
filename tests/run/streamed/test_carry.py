"""Streams of cells: what their nodes share, what is refused, and a small one from end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from overopt.commands.axes.grid import resolve_all
from overopt.commands.extrapolation.extrapolate import extrapolation
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.report.stored.streams import find_streams
from overopt.run.streamed.streams import streams_of
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec

TINY = Path(__file__).parents[2] / "end_to_end" / "tiny.toml"


def _runs(**more: Any) -> list[RunSpec]:
    asked: dict[str, Any] = {"method": ["bon"], "task": "tabular", "seeds": 1, **more}
    return resolve_all(Request(**asked))


def asked_for(prompts: int, samples: int, n: int, fitted_up_to: int = 16) -> StreamSpec:
    return StreamSpec(
        prompts=prompts, samples_per_prompt=samples, n_max=n, fitted_up_to=fitted_up_to
    )


def _nodes(asked: StreamSpec, **more: Any) -> list[Node]:
    return [one.node for one in streams_of(_runs(**more), asked)]


def test_streams_of_a_world_draw_the_same_samples() -> None:
    one, other = _nodes(asked_for(2, 64, 16), axis=["width=8,16"])
    same = {"prompts", "samples_per_prompt", "chunk_rows", "seed", "world"}
    assert all(one.params[name] == other.params[name] for name in same)
    assert one.key != other.key
    assert dict(one.inputs)["initial"].key == dict(other.inputs)["initial"].key


def test_n_is_read_and_not_drawn() -> None:
    assert _nodes(asked_for(2, 64, 16))[0].key == _nodes(asked_for(2, 64, 32))[0].key


@pytest.mark.parametrize(
    ("asked", "more", "said"),
    [
        (asked_for(17, 64, 16), {}, "has 16 held-out prompts"),
        (asked_for(2, 64, 16), {"proxy": ["implicit"]}, "scores by a file of its own"),
        (asked_for(2, 64, 16), {"task": "pool"}, "no more can be drawn"),
    ],
)
def test_what_cannot_be_streamed_is_refused(
    asked: StreamSpec, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        _nodes(asked, **more)


@pytest.mark.slow
def test_the_command_writes_curves_forms_and_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = _runs(task=str(TINY), seeds=2)
    out = tmp_path / "out"
    for _ in range(2):  # the second time in place of the first
        asked = asked_for(2, 256, 64)
        streams = streams_of(runs, asked)
        assert extrapolation(streams, runs, asked, out, tmp_path / "store", 1, True) == 0
    curves, forms = pd.read_csv(out / "best_of_n.csv"), pd.read_csv(out / "forms.csv")
    assert set(curves["seed"]) == {0, 1} and curves["n"].max() == 64
    assert forms["form"].tolist() == ["bon", "rl", "log1p", "line"]
    assert (forms["seeds"] == 2).all()
    assert (out / "extrapolation.png").stat().st_size > 10_000
    assert "foretold to n = 64" in capsys.readouterr().out
    with pytest.raises(UserError, match="--fit-up-to 64"):
        asked = asked_for(2, 256, 64, fitted_up_to=64)
        extrapolation(streams, runs, asked, tmp_path / "other", tmp_path / "store", 1, True)
    [stored] = find_streams([tmp_path])
    assert stored.specs == tuple(runs) and stored.stream == asked_for(2, 256, 64)
    assert stored.curves["n"].max() == 64 and set(stored.curves["seed"]) == {0, 1}
