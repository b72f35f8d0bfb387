"""A method's memory goes through a checkpoint and comes back the same, or is known not to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from overopt.engines.method.remembered import is_writable
from overopt.engines.method.training import OpenedTraining, TrainedMethod
from overopt.engines.trl.method_state import (
    MethodState,
    read_method_state,
    write_method_state,
)


class Pair(NamedTuple):
    average: dict[str, Tensor]
    initial: dict[str, Tensor]


@dataclass(frozen=True)
class Notes:
    count: int
    rate: float
    seen: list[Tensor]


def method(name: str = "remembering", **classes: type) -> TrainedMethod:
    made = ModuleType(f"overopt.methods.{name}")
    vars(made).update(classes or {"Pair": Pair, "Notes": Notes})
    return OpenedTraining(made, None)


def test_named_tuples_data_classes_and_plain_values_come_back(tmp_path: Path) -> None:
    weights = {"a.weight": torch.arange(6.0).view(2, 3).T, "b": torch.tensor(0.1)}
    memory = (Pair(weights, weights), Notes(3, 0.1, [weights["b"]]), [None, True, "x", {7: 1e-300}])
    anchor = {"a.weight": torch.ones(3, 2)}
    given = MethodState({"bias": torch.ones(())}, memory, anchor)
    write_method_state(tmp_path, given, method())
    module, back, again = read_method_state(tmp_path, method(), torch.device("cpu"))
    pair, notes, rest = back
    assert type(pair) is Pair and type(notes) is Notes
    assert list(pair.average) == list(weights)
    assert all(torch.equal(pair.average[name], weights[name]) for name in weights)
    assert pair.initial["b"] is pair.average["b"]  # written once
    assert (notes.count, notes.rate) == (3, 0.1) and torch.equal(notes.seen[0], weights["b"])
    assert rest == [None, True, "x", {7: 1e-300}]
    assert torch.equal(module["bias"], torch.ones(()))
    assert again is not None and torch.equal(again["a.weight"], torch.ones(3, 2))


def test_no_memory_is_a_memory_too(tmp_path: Path) -> None:
    write_method_state(tmp_path, MethodState({}, None, None), method())
    assert read_method_state(tmp_path, method(), torch.device("cpu")) == ({}, None, None)


@pytest.mark.parametrize(
    "memory",
    [object(), {"generator": torch.Generator()}, [lambda: 0], {(1, 2): 3}, {1, 2}],
    ids=["object", "generator", "function", "key", "set"],
)
def test_other_memories_are_known_not_to(memory: Any) -> None:
    assert not is_writable(memory, method())


def test_a_class_of_another_file_is_not_the_methods_own() -> None:
    assert is_writable(Pair({}, {}), method())
    assert not is_writable(Pair({}, {}), method("other", Notes=Notes))
