"""What a world whose responses lie in a table refuses."""

from __future__ import annotations

from overopt.errors import UserError
from overopt.spec.method import MethodSpec
from overopt.spec.task import TaskSpec


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
