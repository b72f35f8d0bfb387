"""What every method file must be, whoever adds it: the failure names the file and the rule."""

from __future__ import annotations

import ast
import dataclasses
import re
from typing import Any

import pytest

from overopt.catalog import lookup, systems
from overopt.execution.code.modules import load_module
from overopt.methods.contract import (
    composition,
    merge,
    novelty,
    particles,
    search,
    selection,
    training,
    values,
)

from .protocols import family_protocol, functions

METHODS = lookup.names("methods")
TOGETHER: tuple[type, ...] = (
    composition.ComposedMethod,
    particles.ParticleMethod,
    values.ValueMethod,
    values.CriticMethod,
    merge.WeightMerge,
    search.WalkingMethod,
    search.SearchMethod,
    novelty.NoveltyMethod,
    selection.PoolSelection,
    selection.KnownPolicy,
    selection.DrawingMethod,
    selection.UnbiasedSelection,
    selection.BoundedSelection,
    training.OwnModule,
    training.Mixes,
    training.SecondInitial,
    training.SecondGradient,
    training.Memory,
    training.StepHook,
    training.RoundHook,
    training.StartHook,
    training.Observer,
    training.GoldObserver,
    training.PairsObserver,
)
"""Protocols whose functions a method supplies all of, or none."""
MAY_IMPORT = re.compile(
    r"__future__|collections\.abc|dataclasses|functools|itertools|math|typing"
    r"|numpy(\..*)?|scipy(\..*)?|torch|torch\.nn\.functional"
    r"|overopt\.methods\.(contract|math)(\..*)?|overopt\.spec\.declare|overopt\.stats(\..*)?"
)


def tree(name: str) -> ast.Module:
    path = lookup.files("methods")[name]
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(module: ast.Module) -> set[str]:
    found = {node.module or "" for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("name", METHODS)
def test_declares_family_knob_and_gold(name: str) -> None:
    spec = systems.method(name)
    in_config = spec.knob.name in spec.config
    assert in_config == spec.retrains, f"{name}: a knob that needs training is a Config field"
    assert spec.knob.low < spec.knob.high
    if spec.retrains:
        default = float(spec.config[spec.knob.name])
        # 0 of what holds KL down is the end of a range in logs that no such range reaches
        off = default == 0 and not spec.knob.raises_kl
        assert off or spec.knob.low <= default <= spec.knob.high, f"{name}: {default} is outside"
    if in_config:
        value = float(spec.config[spec.knob.name])
        assert value == 0 or spec.knob.low <= value <= spec.knob.high


@pytest.mark.parametrize("name", METHODS)
def test_docstring_names_the_paper_and_the_deviations(name: str) -> None:
    docstring = lookup.declaration("methods", name).docstring
    assert re.search(r"^Paper: .*\b(19|20)\d\d\b", docstring, re.MULTILINE), f"{name}: no paper"
    assert re.search(r"^Deviations: ", docstring, re.MULTILINE), f"{name}: no 'Deviations:'"
    assert len(docstring.splitlines()) <= 20, f"{name}: the docstring is too long"


@pytest.mark.parametrize("name", METHODS)
def test_config_is_frozen_and_equals_its_declaration(name: str) -> None:
    spec = systems.method(name)
    config: Any = load_module(spec.source).Config
    parameters = lookup.declaration("methods", name).parameters
    later = {one.name: one.default for one in parameters if one.later}
    assert not later.keys() & spec.config.keys(), f"{name}: stands in stored specifications"
    defaults = {**spec.config, **later}
    assert dataclasses.asdict(config(**spec.config)) == defaults
    assert dataclasses.asdict(config()) == defaults, f"{name}: declared and actual defaults"
    assert config.__dataclass_params__.frozen, f"{name}: Config is not frozen"
    for parameter in parameters:
        assert parameter.help, f"{name}: {parameter.name} has no help"


@pytest.mark.parametrize("name", METHODS)
def test_supplies_its_familys_functions_with_their_parameters(name: str) -> None:
    spec = systems.method(name)
    module = load_module(spec.source)
    protocols = [family_protocol(family) for family in spec.families]
    for protocol in TOGETHER:
        supplied = [hasattr(module, function) for function in functions(protocol)]
        together = ", ".join(functions(protocol))
        assert all(supplied) or not any(supplied), f"{name}: {together} go together"
        protocols += [protocol] if any(supplied) else []
    for protocol in protocols:
        for function in functions(protocol):
            model = getattr(protocol, function).__code__
            actual = getattr(module, function).__code__
            taken = model.co_varnames[1 : model.co_argcount]  # without the protocol's self
            assert actual.co_varnames[: actual.co_argcount] == taken, f"{name}: {function}"


@pytest.mark.parametrize("name", METHODS)
def test_is_pure_mathematics(name: str) -> None:
    module = tree(name)
    foreign = {found for found in imports(module) if not MAY_IMPORT.fullmatch(found)}
    assert not foreign, f"{name} imports {sorted(foreign)}; a method sees numbers only"
    attributes = {node.attr for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    forbidden = attributes & {"manual_seed", "seed", "set_rng_state", "default_rng", "cuda"}
    assert not forbidden, f"{name} uses {sorted(forbidden)}; randomness is passed in"
    for node in ast.walk(module):
        assert not isinstance(node, ast.Global | ast.Nonlocal), f"{name} keeps state"
