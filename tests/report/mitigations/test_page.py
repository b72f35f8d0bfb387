"""The page of what helps: planted runs, and that the committed page is what the results say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import overopt
from comparison.drawn import write_run
from overopt.errors import UserError
from overopt.report.mitigations.page import (
    MARKER,
    _Answer,
    _answers,
    _in_short,
    mitigations,
    page,
)
from overopt.report.mitigations.questions import QUESTIONS, Asked


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods that are better and worse than the plain one, one like it, and one cut short."""
    root = tmp_path_factory.mktemp("results")
    heights = {"plain": 0.3, "like": 0.29, "good": 0.9, "bad": -0.4, "short": 0.3}
    for method, height in heights.items():
        reach = dict.fromkeys(range(5), 2.0) if method == "short" else None
        write_run(root / "planted", method, height, family="selection", reach=reach)
    return root


def row(told: str, method: str) -> list[str]:
    (line,) = [line for line in told.splitlines() if line.startswith(f"| {method} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_is_shown_and_what_is_not(results: Path) -> None:
    told = mitigations(results, [Asked("Planted", "planted", ("plain",), "0")])
    short, _, _ = told.partition("\n## Planted\n")
    assert short.startswith("## In short\n") and short.strip().endswith(
        "- Planted, against `plain`: better good; worse bad (of 3)."
    )
    assert row(told, "good")[-1] == "**better**" and row(told, "bad")[-1] == "**worse**"
    assert row(told, "like")[-1] == "–" and row(told, "plain")[-1] == "the baseline"
    assert "no number stands for them: short." in told and "| short" not in told
    assert "bench compare results/planted --noise 0 --at-kl 4 --baseline plain" in told
    same = overopt.compare(results / "planted", baseline="plain")
    assert same.verdict.splitlines()[0] in told
    p = same.table.set_index("method").loc["good", "p_holm"]
    assert row(told, "good")[3] == ("<0.001" if p < 0.001 else f"{p:.3f}")


def test_a_small_difference_that_is_shown_has_its_size(tmp_path: Path) -> None:
    for method, height in {"plain": 0.3, "good": 0.9, "hardly": 0.3}.items():
        write_run(tmp_path / "planted", method, height, family="selection")
    asked = Asked("Planted", "planted", ("plain",), "0")
    ((_, (ranking,)),) = _answers(tmp_path, asked)
    (good,) = (pair for pair in ranking.pairs if "good" in (pair.first, pair.second))
    tiny = replace(good, first="hardly", difference=good.difference._replace(mean=0.0014))
    shown = replace(ranking, pairs=(good, tiny))
    told = _in_short(_Answer(asked, "plain", (shown,)), shown)
    assert told.endswith("better good, hardly (by 0.001 SDs) (of 2).")
    turned = replace(ranking, pairs=(replace(tiny, first="plain", second="hardly"),))
    assert _in_short(_Answer(asked, "plain", ()), turned).endswith(
        "worse hardly (by 0.001 SDs) (of 1)."
    )


def test_of_several_tasks_each_is_named(results: Path) -> None:
    ((_, (ranking,)),) = _answers(results, asked := Asked("Planted", "planted", ("plain",), "0"))
    other = replace(ranking, contest=replace(ranking.contest, task="elsewhere"))
    both = _Answer(asked, "plain", (ranking, other))
    assert _in_short(both, ranking).startswith("- Planted, on drawn, against `plain`: ")
    assert _in_short(both, other).startswith("- Planted, on elsewhere, against `plain`: ")


def test_systems_meet_with_the_proxies_that_they_see(tmp_path: Path) -> None:
    for proxy, height in (("single", 0.3), ("uwo", 0.9)):
        write_run(tmp_path / "here", "bon", height, proxy=proxy, family="selection", name=proxy)
    asked = Asked("Systems", "here", ("bon × single",), "0", systems=True, methods=("bon",))
    told = mitigations(tmp_path, [asked])
    assert row(told, "bon × uwo")[-1] == "**better**"
    assert '--method bon --systems --noise 0 --at-kl 4 --baseline "bon × single"' in told


def test_a_baseline_that_does_not_get_there_is_said(results: Path) -> None:
    told = mitigations(results, [Asked("Short", "planted", ("short",), "0")])
    assert "short is not ranked at 4 nats." in told and "| plain |" not in told
    assert "- Short" not in told


def test_the_page_is_written_below_its_marker(results: Path, tmp_path: Path) -> None:
    asked = [Asked("Planted", "planted", ("plain",), "0")]
    made = page(f"Words.\n{MARKER}\nstale", results, asked)
    assert made.startswith(f"Words.\n{MARKER}\n\n## In short") and "stale" not in made
    assert page(made, results, asked) == made
    with pytest.raises(UserError, match="lacks its marker"):
        page("Words.", results, asked)


def test_every_question_names_its_baselines_as_its_command_does() -> None:
    for asked in QUESTIONS:
        for baseline in asked.baselines:
            assert (" × " in baseline) == asked.systems
            assert baseline in asked.command(baseline)
