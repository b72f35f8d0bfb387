"""What every reward-side system must be, whoever adds it: the failure names the file and rule."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch

from overopt.catalog import lookup, systems
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.engines.proxy.loss import OpenedLoss
from overopt.engines.proxy.members import OpenedMembers
from overopt.engines.proxy.rehearsal import made_up_batch
from overopt.engines.proxy.steps import OpenedSteps
from overopt.execution.code.modules import load_module
from overopt.proxies.contract.training import FreshBatch, RewardBatch

from . import imports

PROXIES = lookup.names("proxies")
MAY_IMPORT = re.compile(
    r"__future__|collections\.abc|dataclasses|functools|math|typing|numpy(\..*)?|scipy(\..*)?"
    r"|torch|torch\.nn\.functional"
    r"|overopt\.proxies\.contract(\.(training|members|heads|labels|policies|pairwise|steps|refits|anchors|known|attacks|controls|minimum))?"
    r"|overopt\.spec\.declare|overopt\.stats(\..*)?"
)


OTHERWISE_TOLD = frozenset(("terms", "outcomes"))
"""Labels that stand in for the preference, and may say the opposite of it."""


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
    parameters = lookup.declaration("proxies", name).parameters
    later = {one.name: one.default for one in parameters if one.later}
    assert not later.keys() & spec.config.keys(), f"{name}: stands in stored specifications"
    assert dataclasses.asdict(config()) == {**spec.config, **later}
    assert config.__dataclass_params__.frozen, f"{name}: Config is not frozen"
    for parameter in parameters:
        assert parameter.help, f"{name}: {parameter.name} has no help"


@pytest.mark.parametrize("name", PROXIES)
def test_combines_members_into_one_finite_reward_each(name: str) -> None:
    spec = systems.proxy(name)
    score_MN = np.random.default_rng(0).normal(size=(spec.scored, 7))
    before_MN = score_MN.copy()
    reward_N = open_as(OpenedProxy, spec).combine(score_MN)
    assert reward_N.shape == (7,)
    assert reward_N.dtype == np.float64
    assert np.all(np.isfinite(reward_N))
    assert np.array_equal(score_MN, before_MN), f"{name} writes into its input"


PLAIN = [
    name
    for name in PROXIES
    if systems.proxy(name).own_loss and not systems.proxy(name).own_training
]


@pytest.mark.parametrize("name", PLAIN)
def test_its_loss_is_finite_prefers_the_preferred_and_sees_differences_only(name: str) -> None:
    spec = systems.proxy(name)
    opened, batch = open_as(OpenedLoss, spec), FreshBatch if spec.refits else RewardBatch
    chosen_P, rejected_P = (torch.linspace(low, -low, 9) for low in (-2.0, 1.5))
    loss_P = opened.loss(batch(chosen_P, rejected_P))
    assert loss_P.shape == (9,) and torch.isfinite(loss_P).all()
    torch.testing.assert_close(opened.loss(batch(chosen_P + 3.0, rejected_P + 3.0)), loss_P)
    margin = torch.zeros(1, requires_grad=True)
    (slope,) = torch.autograd.grad(opened.loss(batch(margin, torch.zeros(1))).sum(), margin)
    assert slope < 0


@pytest.mark.parametrize(
    "name",
    [name for name in PROXIES if systems.proxy(name).own_training and systems.proxy(name).own_loss],
)
def test_its_loss_is_finite_and_pulls_the_sides_apart(name: str) -> None:
    spec = systems.proxy(name)
    opened = open_as(OpenedMembers, spec)
    batch, sides = made_up_batch(spec, opened)
    loss_P = opened.loss(batch)
    assert loss_P.shape == batch.chosen_P.shape and torch.isfinite(loss_P).all()
    chosen, rejected = torch.autograd.grad(loss_P.sum(), sides)
    assert torch.isfinite(chosen).all() and torch.isfinite(rejected).all()
    assert chosen.abs().sum() > 0 and rejected.abs().sum() > 0
    if spec.own_policy or not OTHERWISE_TOLD.isdisjoint(spec.labels):
        return
    # not what a model of an earlier round holds of the pairs
    alone_P = opened.loss(batch._replace(previous_P=None))
    chosen_C, rejected_C = (
        slope.reshape(len(slope), -1).sum(0) for slope in torch.autograd.grad(alone_P.sum(), sides)
    )
    margin = (chosen_C * rejected_C).argmin()  # the output that the sides are pulled apart by
    assert chosen_C[margin] < 0 < rejected_C[margin], f"{name} learns to prefer what lost"


@pytest.mark.parametrize("name", [name for name in PROXIES if systems.proxy(name).merges])
def test_members_that_agree_merge_to_themselves_and_their_order_does_not_matter(name: str) -> None:
    spec = systems.proxy(name)
    opened = open_as(OpenedMembers, spec)
    generator = torch.Generator().manual_seed(0)
    members = [{"a": torch.randn(3, 2, generator=generator)} for _ in range(spec.members)]
    torch.testing.assert_close(opened.merge([members[0]] * spec.members), members[0])
    torch.testing.assert_close(opened.merge(members), opened.merge(members[::-1]))


@pytest.mark.parametrize("name", [name for name in PROXIES if systems.proxy(name).step_scores])
def test_reduces_steps_to_one_finite_score_that_a_step_s_log_odds_raise(name: str) -> None:
    opened = open_as(OpenedSteps, systems.proxy(name))
    rng = np.random.default_rng(0)
    step_NT = rng.normal(scale=3.0, size=(6, 8))
    end_NT = rng.random((6, 8)) < 0.4
    end_NT[:, -1] = True
    before_NT = step_NT.copy()
    score_N = opened.reduce(step_NT, end_NT)
    assert score_N.shape == (6,) and np.isfinite(score_N).all()
    assert np.array_equal(step_NT, before_NT), f"{name} writes into its input"
    higher_N = opened.reduce(step_NT + 1.0, end_NT)
    assert (higher_N > score_N).all()
    for row in range(6):
        alone_N = opened.reduce(step_NT[[row]], end_NT[[row]])
        assert alone_N == pytest.approx(score_N[[row]])


@pytest.mark.parametrize("name", PROXIES)
def test_is_pure_mathematics(name: str) -> None:
    path = lookup.files("proxies")[name]
    foreign = {found for found in imports.of(path) if not MAY_IMPORT.fullmatch(found)}
    assert not foreign, f"{name} imports {sorted(foreign)}; a system sees scores only"
