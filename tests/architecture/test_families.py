"""The families of methods are listed once; whatever else names all of them agrees with that."""

from __future__ import annotations

import tomllib
from typing import Protocol, get_args

import pytest

from methods.protocols import family_protocol, functions
from overopt.catalog import systems
from overopt.methods.contract import (
    composition,
    novelty,
    particles,
    search,
    selection,
    training,
    values,
)
from overopt.spec.declare import Family

from .checkout import PACKAGE, ROOT

FAMILIES: tuple[Family, ...] = get_args(Family)


@pytest.mark.parametrize("family", FAMILIES)
def test_catalog_asks_for_what_the_contract_states(family: Family) -> None:
    assert systems.FUNCTIONS[family] == functions(family_protocol(family))


def test_catalog_asks_for_optional_functions_as_the_contract_states_them() -> None:
    stated = {
        function: arguments
        for module in (composition, novelty, particles, search, selection, training, values)
        for protocol in vars(module).values()
        if isinstance(protocol, type) and issubclass(protocol, Protocol)
        for function, arguments in functions(protocol).items()
    }
    asked = {
        function: arguments
        for wanted in systems.OPTIONAL.values()
        for function, arguments in wanted.items()
    }
    assert asked == {function: stated[function] for function in asked}


def test_every_family_has_its_folder() -> None:
    folders = {path.name for path in (PACKAGE / "methods").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == {*FAMILIES, "contract", "math"}
    assert set(systems.FUNCTIONS) == set(FAMILIES)


def test_import_rules_cover_every_family() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {one["name"]: one for one in rules["tool"]["importlinter"]["contracts"]}
    independent = contracts["Methods do not import each other"]["modules"]
    assert independent == [f"overopt.methods.{family}.*" for family in FAMILIES]
