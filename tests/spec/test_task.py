"""Specifications are frozen, checked, and equal exactly when their JSON is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from overopt.catalog import lookup, toml_files
from overopt.errors import UserError
from overopt.spec.declare import Knob, knob, param
from overopt.spec.gold import GoldSpec
from overopt.spec.task import TaskSpec
from overopt.spec.training import ArchitectureSpec, TrainingSpec
from overopt.spec.world import WorldSpec

TASK = toml_files.load_task("tabular").to_json()


def changed(**values: object) -> dict[str, Any]:
    return {**TASK, **values}


@pytest.mark.parametrize("task", lookup.names("tasks"))
def test_json_and_back_is_the_same_task(task: str) -> None:
    spec = toml_files.load_task(task)
    text = json.dumps(spec.to_json())
    assert TaskSpec.model_validate_json(text) == spec
    assert json.dumps(TaskSpec.model_validate_json(text).to_json()) == text


def test_a_specification_cannot_be_changed() -> None:
    spec = toml_files.load_task("tabular")
    with pytest.raises(ValidationError, match="frozen"):
        setattr(spec, "na" + "me", "other")
    assert spec.name == "tabular"


@pytest.mark.parametrize(
    "grid_nats", [[], [0.0, 1.0], [-1.0], [1.0, 1.0], [2.0, 1.0], [1.0, float("inf")]]
)
def test_budgets_are_positive_finite_and_rise(grid_nats: list[float]) -> None:
    with pytest.raises(ValidationError):
        TaskSpec.model_validate(changed(kl_grid_nats=grid_nats))


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, unique=True).map(sorted))
def test_rising_budgets_stand(grid_nats: list[float]) -> None:
    assert TaskSpec.model_validate(changed(kl_grid_nats=grid_nats)).kl_grid_nats == tuple(grid_nats)


def test_unknown_key_is_refused_at_every_depth() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        TaskSpec.model_validate(changed(color="red"))
    with pytest.raises(ValidationError, match="Extra inputs"):
        WorldSpec.model_validate({**TASK["world"], "color": "red"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
def test_rates_are_finite_and_positive(value: float) -> None:
    with pytest.raises(ValidationError):
        TrainingSpec.model_validate({"learning_rate": value, "batch_size": 1, "epochs": 1})


def test_heads_divide_width() -> None:
    assert ArchitectureSpec(layers=1, width=6, heads=3).width == 6
    with pytest.raises(ValidationError, match="heads = 4 must divide width = 6"):
        ArchitectureSpec(layers=1, width=6, heads=4)


def test_gold_is_whole() -> None:
    training = TrainingSpec.model_validate({"learning_rate": 0.1, "batch_size": 1, "epochs": 1})
    body = ArchitectureSpec(layers=1, width=2, heads=1)
    whole = GoldSpec(
        name="g", summary="s", kind="model", architecture=body, comparisons=1, training=training
    )
    assert GoldSpec.model_validate(whole.to_json()) == whole
    for part in ("architecture", "comparisons", "training"):
        with pytest.raises(ValidationError, match="needs architecture, comparisons and training"):
            GoldSpec.model_validate({**whole.to_json(), part: None})
    with pytest.raises(ValidationError, match="takes no architecture"):
        GoldSpec(name="g", summary="s", kind="rule", comparisons=1)


def test_declaring_calls_carry_what_was_written() -> None:
    assert knob("n", low=1.0, high=8.0, raises_kl=True) == Knob(
        name="n", low=1.0, high=8.0, raises_kl=True
    )
    with pytest.raises(ValidationError):
        knob("n", low=0.0, high=8.0, raises_kl=True)
    declared = param(0.5, help="half", unit="nats", above=0.0)
    assert declared.default == 0.5
    assert dict(declared.metadata) == {
        "help": "half",
        "unit": "nats",
        "above": 0.0,
        "at_least": None,
        "at_most": None,
        "one_of": (),
        "later": False,
    }


@pytest.mark.parametrize("named", ["a\\u0000b", "~nobody-of-this-name/x"])
def test_what_is_no_path_is_told_in_one_sentence(named: str, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(f'extends = "tabular"\nsummary = "x"\n[world.hub]\npath = "{named}"\n')
    with pytest.raises(UserError, match=r"mine\.toml: path = '.*' is no path") as told:
        toml_files.load_task(str(own))
    assert str(told.value).isprintable()
