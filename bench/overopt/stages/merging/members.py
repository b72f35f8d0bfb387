"""The members of a merge: last policies of their runs, and what all of it has cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel

from overopt.artifacts.tables import read_json
from overopt.engines.walk.trajectory import Compute
from overopt.methods.contract.training import Weights
from overopt.models.policy import load_policy
from overopt.models.weights import weights_of

RESTART = "restart.json"
"""What was spent up to the policy that an iteration starts from."""


class Members(NamedTuple):
    """Last policies of the members' runs, and what was spent on them and on what they started from.

    weights: of each.
    """

    weights: list[Weights]
    spent: Compute


def load_members(inputs: Mapping[str, Path], count: int) -> Members:
    """The last policies of ``optimize.<m>``, with what all of them and ``start`` have cost."""
    loaded = [load_member(inputs[f"optimize.{member}"]) for member in range(count)]
    costs = [cost for _, cost in loaded]
    if "start" in inputs:
        costs.append(Compute(**read_json(inputs["start"] / RESTART)))
    spent = Compute(*(sum(parts) for parts in zip(*costs, strict=True)))
    return Members([weights_of(model) for model, _ in loaded], spent)


def load_member(folder: Path) -> tuple[PreTrainedModel, Compute]:
    """The last policy of a run, and what the run has spent on it."""
    record = read_json(folder / "optimize.json")
    last = record["snapshots"][-1]
    spent = Compute(*(int(last[name]) for name in Compute._fields))
    return load_policy(folder / last["folder"]), spent
