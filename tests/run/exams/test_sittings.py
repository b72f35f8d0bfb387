"""Exams of cells: what their nodes share, what is refused, and a small one from end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from overopt.commands.axes.grid import resolve_all
from overopt.commands.examination.examine import examine
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.report.stored.exams import find_exams
from overopt.run.cells import cells_of
from overopt.run.exams.carry import Sitting
from overopt.run.exams.sittings import sittings_of
from overopt.run.graph import Graph
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec

TINY = Path(__file__).parents[2] / "end_to_end" / "tiny.toml"
ASKED = ExamSpec()


def _runs(**more: Any) -> list[RunSpec]:
    asked: dict[str, Any] = {"method": ["bon"], "task": "tabular", "seeds": 1, **more}
    return resolve_all(Request(**asked))


def _sittings(**more: Any) -> list[Sitting]:
    return sittings_of(_runs(**more), ASKED)


def test_a_world_has_one_exam_that_all_proxies_sit() -> None:
    found = _sittings(seeds=2, proxy=["single", "uwo", "implicit"], proxy_width=[8, 16])
    sets = {dict(one.nodes[0].inputs)["sets"].key for one in found}
    assert len(sets) == 1 and len({one.nodes[0].key for one in found}) == len(found)


def test_proxies_and_their_scores_are_those_of_a_run() -> None:
    (run,) = _runs()
    (cell,) = cells_of(run)
    selected = dict(Graph(cell).select(run.kl_grid_nats).inputs)
    (sitting,) = sittings_of([run], ASKED)
    examined = dict(sitting.nodes[0].inputs)
    for role in ("pool", "score.pool.0"):
        assert examined[role].key == selected[role].key


@pytest.mark.parametrize(
    ("proxy", "stages"),
    [
        ("single", ["marks", "recall"]),
        ("warm", ["marks", "recall", "averages"]),
        ("baklava", ["marks", "recall", "averages"]),
        ("implicit", ["marks"]),
    ],
)
def test_a_system_sits_the_exams_that_it_can(proxy: str, stages: list[str]) -> None:
    (one,) = _sittings(proxy=[proxy])
    assert [made.name for made in one.nodes] == stages


def test_members_of_baklava_start_from_three_checkpoints() -> None:
    (one,) = _sittings(proxy=["baklava"])
    members = [made for role, made in one.nodes[-1].inputs if role.startswith("member.")]
    starts = [dict(made.inputs)["initial"] for made in members]
    assert len(members) == 6 and len({made.key for made in starts}) == 3
    # after all of 8192, after 5/6 and after .6667 of them
    shares = [made.params["policy"]["examples"] for made in starts]
    assert shares == [8192, 6827, 5462, 6827, 5462, 8192]


def test_a_table_of_responses_is_refused() -> None:
    with pytest.raises(UserError, match="no model says how likely"):
        _sittings(task="pool")


@pytest.mark.slow
def test_the_command_writes_marks_that_are_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = _runs(task=str(TINY), proxy=["single", "warm"], noise=["0.25"], seeds=2)
    out = tmp_path / "out"
    for _ in range(2):  # the second time in place of the first
        assert examine(sittings_of(runs, ASKED), runs, ASKED, out, tmp_path / "s", 1, True) == 0
    assert "weights at 0.5" in capsys.readouterr().out
    [stored] = find_exams([tmp_path])
    assert stored.specs == tuple(runs) and stored.exam == ASKED
    marks = stored.marks
    assert set(marks["seed"]) == {0, 1} and set(marks["proxy"]) == {"single", "warm"}
    accuracy = marks[~marks["of"].isin(["diversity", "length gap"])]["value"]
    assert accuracy.between(0.0, 1.0).all() and accuracy.nunique() > 20
    both = marks[marks["exam"] == "home"].groupby("proxy")["of"].nunique()
    assert both["warm"] > both["single"] == 1
