"""What the training of a method depends on besides artifacts: settings, engine, code."""

from __future__ import annotations

from typing import Any

from overopt.execution.code.modules import module_in
from overopt.execution.code.version import library_version
from overopt.run.given.once import once_per_spec
from overopt.run.own_files import described
from overopt.run.stage_names import STAGES
from overopt.spec.engine import Engine
from overopt.spec.frozen import Spec
from overopt.spec.method import MethodSpec
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.task import TaskSpec

_ROOMS = {"native": "engines", "stacked": "engines.stacked", "trl": "engines.trl"}
_TRL_STAGE = f"{STAGES}.optimize_trl"
_TRL_LIBRARIES = ("trl", "accelerate", "peft", "vllm")
_OF_NEEDS = (
    ("mixture_samples", "models", "composed"),
    ("revisions", "models", "context"),
    ("revised_samples", "models", "context"),
    ("revised_samples", "engines", "revised"),
    ("searched_samples", "engines", "searched"),
    ("step_pairs", "worlds", "steps"),
)
"""Modules that are loaded for what a method asks for."""


@once_per_spec
def _at_rate(settings: PairsSpec | RolloutSpec, factor: float) -> Spec:
    """Settings at another learning rate."""
    if factor == 1.0:
        return settings
    return settings.model_copy(update={"learning_rate": settings.learning_rate * factor})


def training_parts(
    method: MethodSpec, task: TaskSpec, engine: Engine, rate_factor: float
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Parameters and code of a training run.

    The learning rate stands in the settings, whoever chose it, so that the same rate is the same
    training.

    Args:
        method: what trains, with its knob set; the cell's own or the one that it merges.
        task: whose settings they are.
        engine: what trains.
        rate_factor: of the task's learning rate.
    """
    settings = task.pairs if method.trains == "pairs" else task.rollout
    params: dict[str, Any] = {
        "settings": described(_at_rate(settings, rate_factor)),
        "engine": engine,
    }
    code: tuple[str, ...] = (method.source, module_in(_ROOMS[engine], method.trains))
    code += tuple(module_in(*place) for need, *place in _OF_NEEDS if need in method.needs)
    if engine == "trl":
        params["trl"] = described(task.trl)
        params["libraries"] = {name: library_version(name) for name in _TRL_LIBRARIES}
        code += (_TRL_STAGE,)
    return params, code
