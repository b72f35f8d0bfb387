"""Only what is asked for: methods, proxies, noise levels and figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.report.drawing import COMPARING, KINDS, check_figures
from overopt.report.stored.reading import read_results
from overopt.report.stored.selection import Selection
from overopt.report.writing import Request, write_report

from .synthetic import write_runs


def test_results_are_selected_by_name(run_root: Path) -> None:
    results = read_results([run_root], Selection(("ipo",), ("wco",), ("0.250",)))
    assert [run.name.split("/")[1] for run in results.runs] == ["ipo"]
    assert set(results.points["proxy"]) == {"wco"} and set(results.points["noise"]) == {"0.25"}
    assert {(one.proxy, one.noise) for one in results.runs[0].excerpts} == {("wco", "0.25")}
    whole = read_results([run_root])
    same = (whole.points["method"] == "ipo") & (whole.points["proxy"] == "wco")
    assert len(results.points) == (same & (whole.points["noise"] == "0.25")).sum()


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(methods=("dpo",)), "--method dpo: no run holds it; there are: bon, ipo."),
        (
            Selection(methods=("family:rollout",)),
            "--method family:rollout: no run holds a method of it; there are: pairs, selection.",
        ),
        (Selection(proxies=("x",)), "--proxy x: no run holds it; there are: single, wco."),
        (Selection(noises=("bt:1",)), "--noise bt:1: no run holds it; there are: 0, 0.25."),
    ],
)
def test_unknown_names_are_refused(run_root: Path, selection: Selection, words: str) -> None:
    with pytest.raises(UserError) as told:
        read_results([run_root], selection)
    assert str(told.value) == words


def test_a_family_stands_for_its_stored_methods(run_root: Path) -> None:
    families = read_results([run_root]).families
    assert set(families.values()) == {"selection", "pairs"}
    for family in ("selection", "pairs"):
        found = read_results([run_root], Selection((f"family:{family}",)))
        wanted = {name for name in families if families[name] == family}
        assert set(found.points["method"]) == wanted
    both = read_results([run_root], Selection(("bon", "family:pairs", "ipo")))
    assert set(both.points["method"]) == {"bon", "ipo"}


def test_names_that_never_meet_are_refused(tmp_path: Path) -> None:
    for method, proxy in (("dpo", "single"), ("ipo", "wco")):
        write_runs(tmp_path, (method,), (proxy,), ("0",), seeds=(0,), failed=())
    with pytest.raises(UserError, match="No stored result has the method, proxy and noise"):
        read_results([tmp_path], Selection(("dpo",), ("wco",)))


def test_figures_are_asked_for_by_name() -> None:
    assert check_figures(()) == COMPARING
    assert check_figures(("front", "gold")) == ("gold", "front")
    assert check_figures(("all",)) == KINDS
    assert check_figures(("none",)) == ()
    with pytest.raises(UserError, match="--figures pie: there is no such figure"):
        check_figures(("pie",))


def test_only_these_figures_are_drawn_and_former_ones_are_gone(
    run_root: Path, tmp_path: Path
) -> None:
    only_ipo = Selection(methods=("ipo",), proxies=("wco",), noises=("0",))
    first = write_report([run_root], tmp_path, Request(only_ipo, ("gap", "fits")))
    drawn = {path.name for path in first if path.suffix == ".png"}
    assert drawn == {"gap.png", "fits.png"}
    told: list[str] = []
    write_report([run_root], tmp_path, Request(only_ipo, ()), lambda what, i, n: told.append(what))
    assert not list(tmp_path.glob("*.png"))
    assert list(dict.fromkeys(told)) == [
        *("reading runs", "averaging curves", "fitting curves", "comparing methods"),
    ]


def test_several_processes_draw_the_same_figures(run_root: Path, tmp_path: Path) -> None:
    only = Selection(methods=("ipo",), proxies=("wco",), noises=("0",))
    one = write_report([run_root], tmp_path / "one", Request(only, ("gap", "front"), workers=1))
    two = write_report([run_root], tmp_path / "two", Request(only, ("gap", "front"), workers=2))
    assert [path.name for path in one] == [path.name for path in two]
    for ours, theirs in zip(one, two, strict=True):
        assert ours.read_bytes() == theirs.read_bytes(), ours.name
