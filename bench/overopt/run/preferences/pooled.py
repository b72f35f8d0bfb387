"""What a world whose responses lie in a table changes in a cell's graph."""

from __future__ import annotations

from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.spec.method import MethodSpec
from overopt.spec.task import TaskSpec


def made_by(
    task: TaskSpec, stage: str, inputs: dict[str, Node], code: tuple[str, ...]
) -> tuple[str, dict[str, Node], tuple[str, ...]]:
    """Which stage makes responses, from what, and what it loads by name.

    Those of a table need neither a policy nor a gold.
    """
    return (stage, inputs, code) if task.world.pool is None else (f"pooled.{stage}", {}, ())


def refuse_new_responses(task: TaskSpec, method: MethodSpec) -> None:
    """Refuse a method whose policies say what no table holds.

    Raises:
        UserError: it does.
    """
    chooses = method.family == "selection" and not method.composes and not method.filters
    if task.world.pool is not None and not chooses:
        raise UserError(
            f"{method.name} makes responses of its own, and those of {task.name} can only be "
            "chosen among: nobody has scored others; choose a --method that does, such as bon or "
            "soft-bon."
        )
