"""Names as people type them, and groups of names."""

from __future__ import annotations

import pytest

from overopt.catalog import lookup
from overopt.commands.arguments import resolve
from overopt.commands.options.names import expand, same_name
from overopt.commands.request import Request
from overopt.errors import UserError


def test_case_dashes_and_commas_do_not_matter() -> None:
    assert expand("methods", ["DPO,soft_bon", "Iter-DPO"]) == ["dpo", "soft-bon", "iter-dpo"]
    assert expand("proxies", ["UWO, rdpo_rm"]) == ["uwo", "rdpo-rm"]
    assert expand("methods", ["My_Loss.py", "dpo"]) == ["My_Loss.py", "dpo"], "a path stays"
    assert same_name("tasks", "TABULAR") == "tabular"
    assert same_name("tasks", "./My.toml") == "./My.toml"


def test_groups_add_what_is_not_named_already() -> None:
    assert expand("methods", ["all"]) == lookup.names("methods")
    assert expand("methods", ["family:merge"]) == ["dera", "warp"]
    assert expand("methods", ["warp", "FAMILY:merge", "all"])[:2] == ["warp", "dera"]
    assert sorted(expand("methods", ["family:pairs", "all"])) == lookup.names("methods")
    assert expand("methods", ["dpo", "dpo"]) == ["dpo", "dpo"], "a repeat is for others to refuse"


@pytest.mark.parametrize(
    ("kind", "word", "told"),
    [
        ("methods", "family:pear", "Unknown family 'pear'"),
        ("proxies", "family:pairs", "families are of methods"),
    ],
)
def test_groups_that_do_not_exist(kind: str, word: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        expand(kind, [word])


def test_a_run_takes_them() -> None:
    spec = resolve(Request(method=["BON,Soft_Bon"], proxy=["UWO"], task="Tabular", gold="RULE"))
    assert [method.name for method in spec.methods] == ["bon", "soft-bon"]
    assert (spec.proxies[0].name, spec.task.name, spec.gold.name) == ("uwo", "tabular", "rule")
    assert spec.standard
