"""What every reward-side system must be, whoever adds it: the failure names the file and rule."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from overopt.catalog import lookup, systems
from overopt.execution.code.modules import load_module

from . import imports

PROXIES = lookup.names("proxies")
MAY_IMPORT = re.compile(
    r"__future__|dataclasses|functools|math|typing|numpy(\..*)?|scipy(\..*)?"
    r"|overopt\.proxies\.contract|overopt\.spec\.declare|overopt\.stats(\..*)?"
)


@pytest.mark.parametrize("name", PROXIES)
def test_docstring_names_the_paper_and_the_deviations(name: str) -> None:
    docstring = lookup.declaration("proxies", name).docstring
    assert re.search(r"^Paper: .*\b(19|20)\d\d\b", docstring, re.MULTILINE), f"{name}: no paper"
    assert re.search(r"^Deviations: ", docstring, re.MULTILINE), f"{name}: no 'Deviations:'"


@pytest.mark.parametrize("name", PROXIES)
def test_config_is_frozen_and_equals_its_declaration(name: str) -> None:
    spec = systems.proxy(name)
    config = load_module(spec.source).Config
    assert spec.members >= 1
    assert dataclasses.asdict(config()) == spec.config
    assert config.__dataclass_params__.frozen, f"{name}: Config is not frozen"
    for parameter in lookup.declaration("proxies", name).parameters:
        assert parameter.help, f"{name}: {parameter.name} has no help"


@pytest.mark.parametrize("name", PROXIES)
def test_combines_members_into_one_finite_reward_each(name: str) -> None:
    spec = systems.proxy(name)
    module = load_module(spec.source)
    score_MN = np.random.default_rng(0).normal(size=(spec.members, 7))
    before_MN = score_MN.copy()
    reward_N = module.combine(module.Config(**spec.config), score_MN)
    assert reward_N.shape == (7,)
    assert reward_N.dtype == np.float64
    assert np.all(np.isfinite(reward_N))
    assert np.array_equal(score_MN, before_MN), f"{name} writes into its input"


@pytest.mark.parametrize("name", PROXIES)
def test_is_pure_mathematics(name: str) -> None:
    path = lookup.files("proxies")[name]
    foreign = {found for found in imports.of(path) if not MAY_IMPORT.fullmatch(found)}
    assert not foreign, f"{name} imports {sorted(foreign)}; a system sees scores only"
