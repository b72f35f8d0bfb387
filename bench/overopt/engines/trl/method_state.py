"""What a method keeps beside the policy, in a checkpoint: its module, its memory, its anchor.

Tensors are written as safetensors, the rest as JSON, so that reading it runs no code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from overopt.engines.method.remembered import describe, rebuild
from overopt.engines.method.training import TrainedMethod

_MODULE, _ANCHOR = "own_module.safetensors", "anchor.safetensors"
_MEMORY, _TENSORS = "memory.json", "memory.safetensors"


class MethodState(NamedTuple):
    """State of the method's module, its hooks' memory, and its anchor's weights if it has any."""

    module: Mapping[str, Tensor]
    memory: Any
    anchor: Mapping[str, Tensor] | None


def write_method_state(folder: Path, state: MethodState, method: TrainedMethod) -> None:
    """Write all of it beside the trainer's files, for ``read_method_state``."""
    _save(folder / _MODULE, state.module)
    tensors: dict[int, Tensor] = {}
    told = describe(state.memory, method, tensors)
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
    return MethodState(load_file(folder / _MODULE, place), rebuild(told, method, tensors), anchor)


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    # tied and sliced tensors share memory, which the format refuses
    kept = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    save_file(kept, path)
