"""What a method keeps beside the policy, in a checkpoint: its module, its memory, its anchor.

A hook's memory is whatever the method likes. It is written where it consists of tensors, plain
values, lists, tuples, mappings and the method's own named tuples and data classes: tensors as
safetensors, the rest as JSON, so that reading it runs no code. Other memories cannot be written.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from overopt.engines.method.training import TrainedMethod

_MODULE, _ANCHOR = "own_module.safetensors", "anchor.safetensors"
_MEMORY, _TENSORS = "memory.json", "memory.safetensors"
_PLAIN = (bool, int, float, str, type(None))


class MethodState(NamedTuple):
    """State of the method's module, its hooks' memory, and its anchor's weights if it has any."""

    module: Mapping[str, Tensor]
    memory: Any
    anchor: Mapping[str, Tensor] | None


class _Unwritable(Exception):
    """A memory holds something of another kind."""


def is_writable(memory: Any, method: TrainedMethod) -> bool:
    """Whether a memory can go through a checkpoint and come back the same."""
    try:
        _describe(memory, method, {})
    except _Unwritable:
        return False
    return True


def write_method_state(folder: Path, state: MethodState, method: TrainedMethod) -> None:
    """Write all of it beside the trainer's files, for ``read_method_state``."""
    _save(folder / _MODULE, state.module)
    tensors: dict[int, Tensor] = {}
    told = _describe(state.memory, method, tensors)
    _save(folder / _TENSORS, {str(n): value for n, value in enumerate(tensors.values())})
    (folder / _MEMORY).write_text(json.dumps(told), encoding="utf-8")
    if state.anchor is not None:
        _save(folder / _ANCHOR, state.anchor)


def read_method_state(folder: Path, method: TrainedMethod, device: torch.device) -> MethodState:
    """What ``write_method_state`` has written, with its tensors on a device."""
    place = str(device)
    tensors = load_file(folder / _TENSORS, place)
    told = json.loads((folder / _MEMORY).read_text(encoding="utf-8"))
    anchor = load_file(folder / _ANCHOR, place) if (folder / _ANCHOR).is_file() else None
    return MethodState(load_file(folder / _MODULE, place), _rebuild(told, method, tensors), anchor)


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    # tied and sliced tensors share memory, which the format refuses
    kept = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    save_file(kept, path)


def _describe(value: Any, method: TrainedMethod, tensors: dict[int, Tensor]) -> Any:
    """A value as JSON, each distinct tensor in it by its number in ``tensors``."""
    if isinstance(value, _PLAIN) and type(value) in _PLAIN:
        return value
    if type(value) is Tensor:
        tensors.setdefault(id(value), value)
        return {"tensor": list(tensors).index(id(value))}
    if type(value) in (list, tuple):
        parts = [_describe(one, method, tensors) for one in value]
        return {"list" if type(value) is list else "tuple": parts}
    if type(value) is dict and all(type(key) in _PLAIN for key in value):
        return {"pairs": [[key, _describe(one, method, tensors)] for key, one in value.items()]}
    if method.own_class(type(value).__name__) is type(value):
        fields = _fields(value)
        if fields is not None:
            named = {name: _describe(one, method, tensors) for name, one in fields.items()}
            return {"class": type(value).__name__, "fields": named}
    raise _Unwritable


def _fields(value: Any) -> dict[str, Any] | None:
    """The fields of a named tuple or a data class; None of anything else."""
    names: Sequence[str] | None = vars(type(value)).get("_fields")
    if isinstance(value, tuple) and names is not None:
        return dict(zip(names, value, strict=True))
    if dataclasses.is_dataclass(value) and all(one.init for one in dataclasses.fields(value)):
        return {one.name: attrgetter(one.name)(value) for one in dataclasses.fields(value)}
    return None


def _rebuild(told: Any, method: TrainedMethod, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(told, dict):
        return told
    if "tensor" in told:
        return tensors[str(told["tensor"])]
    if "pairs" in told:
        return {key: _rebuild(one, method, tensors) for key, one in told["pairs"]}
    if "class" in told:
        fields = told["fields"].items()
        kind = method.own_class(told["class"])
        assert kind is not None
        return kind(**{name: _rebuild(one, method, tensors) for name, one in fields})
    [(kind_name, parts)] = told.items()
    rebuilt = [_rebuild(one, method, tensors) for one in parts]
    return rebuilt if kind_name == "list" else tuple(rebuilt)
