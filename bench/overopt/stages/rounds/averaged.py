"""The proxies of several rounds averaged into one reward model, weight by weight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from overopt.execution.contract import Progress
from overopt.proxies.contract.members import Weights
from overopt.stages.own.merged_proxy import write_merged
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Average the inputs ``round.<j>``, each round alike, and normalize the scores of the average.

    params: ``rounds``, how many.
    """
    folders = [inputs[f"round.{number}"] for number in range(1, int(params["rounds"]) + 1)]
    write_merged(mean, folders, inputs["labels"], world_of(params), out, progress)


def mean(weights: Sequence[Weights]) -> Weights:
    """The mean of several models' weights, parameter by parameter."""
    return {name: torch.stack([one[name] for one in weights]).mean(0) for name in weights[0]}
