"""Every paper's file: its claims are all there, its arms exist, its exact claims are computed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from overopt.commands.arguments import resolve
from overopt.commands.reproduce.reproduce import request_of
from overopt.errors import UserError
from overopt.papers.contract import SCALES, Arm, Exact, Grid
from overopt.papers.shelf import find, names

CLAIMS = {
    "gao2022": ("gao", 19),
    "coste2023": ("coste", 14),
    "rafailov2024": ("daa", 12),
    "moskovitz2023": ("mos", 9),
    "warp2024": ("warp", 8),
    "elastic-reset2023": ("er", 4),
    "correlated-proxies2024": ("cp", 5),
    "rpo2024": ("rpo", 4),
    "kim2025": ("kim", 7),
    "catastrophic-goodhart2024": ("cg", 6),
    "iterated2025": ("it", 10),
    "grm2024": ("grm", 5),
    "inform2024": ("inf", 5),
    "warm2024": ("warm", 9),
    "itp2025": ("itp", 5),
    "hedging2025": ("hedge", 4),
    "prefrank2024": ("pr", 5),
    "superhf2023": ("shf", 4),
    "kl-estimators": ("kl", 4),
}
"""Prefix and number of the claims of each paper: none may be left out silently."""


SLOW = ("cg-02",)
"""Exact claims that take several seconds to compute."""


@pytest.mark.parametrize("name", names())
def test_no_claim_is_left_out(name: str) -> None:
    prefix, number = CLAIMS[name]
    wanted = [f"{prefix}-{place:02d}" for place in range(1, number + 1)]
    assert [claim.id for claim in find(name).claims] == wanted


@pytest.mark.parametrize("name", names())
def test_every_arm_is_one_that_can_be_run(name: str) -> None:
    """Resolving checks names, settings and budgets; nothing runs. All arms once, each grid once."""
    paper = find(name)
    grids = {scale: paper.grids[scale] for scale in SCALES}
    asked = [request_of(arm, grids["standard"]) for arm in paper.arms("standard")]
    asked += [request_of(arm, grid) for s, grid in grids.items() for arm in paper.arms(s)[:1]]
    for request in asked:
        resolve(request)


def test_an_arm_may_have_seeds_of_its_own() -> None:
    """A claim about seeds takes more of them than curves do."""
    few = Arm("bon", noise="0")
    many = replace(few, seeds=60)
    assert many.name == f"{few.name}, 60 seeds"
    grid = Grid(seeds=5)
    assert resolve(request_of(few, grid)).seeds == tuple(range(5))
    assert resolve(request_of(many, grid)).seeds == tuple(range(60))


@pytest.mark.parametrize("name", names())
def test_rules_are_told_in_words(name: str) -> None:
    for claim in find(name).claims:
        assert claim.words and claim.relation and claim.where
        assert not (claim.needs and claim.arms)


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        pytest.param(name, claim.id, id=claim.id, marks=[pytest.mark.slow] * (claim.id in SLOW))
        for name in names()
        for claim in find(name).claims
        if isinstance(claim.rule, Exact)
    ],
)
def test_exact_claims_are_computed(name: str, claim: str) -> None:
    """What they come to is a result; that they are numbers with a tolerance is what is tested."""
    (rule,) = [one.rule for one in find(name).claims if one.id == claim]
    assert isinstance(rule, Exact)
    found = rule.check()
    assert found.words and found.tolerance >= 0.0
    assert found.deviation == found.deviation
    assert found.holds == (found.deviation <= found.tolerance)


def test_an_unknown_paper_is_told_with_those_that_are_known() -> None:
    with pytest.raises(UserError, match="gao2022"):
        find("gao2023")
