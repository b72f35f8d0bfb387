"""The reward of a cell in a stack: that of a run alone, with its models where they are plain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.proxy import ERROR_FILE, Member
from overopt.engines.contract import RunInputs
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.engines.stacked.rewards import ModelReward
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World

_BESIDE = (ERROR_FILE, "reader.json")
"""Files of a proxy whose scores are more than its model's."""


def with_models(
    given: RunInputs, inputs: dict[str, Path], system: dict[str, object], world: World
) -> RunInputs:
    """What a cell is given, with the models behind its reward; as it is where there is more to it.

    Args:
        given: as for a run alone.
        inputs: of that run.
        system: JSON of the reward-side system.
        world: of the run.
    """
    spec = ProxySystemSpec.model_validate(system)
    folders = [inputs[f"proxy.{member}"] for member in range(spec.scored)]
    more = any((folder / name).is_file() for folder in folders for name in _BESIDE)
    if given.reward is None or spec.reader is not None or spec.attacking or more:
        return given
    opened = open_as(OpenedProxy, locate_own(spec, inputs))
    members = [Member(folder, world) for folder in folders]
    mean_K1, sd_K1 = (
        np.array([[scale] for scale in scales])
        for scales in zip(*((member.mean, member.sd) for member in members), strict=True)
    )

    def combine(raw_KN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return opened.combine((raw_KN - mean_K1) / sd_K1)

    models = [member.model for member in members]
    return replace(given, reward=ModelReward(models, combine, given.reward))
