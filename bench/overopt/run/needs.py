"""What a method asks for that not every task, or not every proxy, has."""

from __future__ import annotations

from overopt.errors import UserError
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec


def check_needs(method: MethodSpec, task: TaskSpec, proxy: ProxySystemSpec) -> None:
    """Refuse a method that asks for what this task, or this proxy, has not.

    Raises:
        UserError: it does.
    """
    if "demonstrations" in method.needs and not task.world.has_references:
        raise UserError(
            f"{method.name} learns from reference texts, and the data of {task.name} has none; "
            "name their column as world.hub.prompts.reference, or choose another --task."
        )
    if "step_pairs" in method.needs and not task.world.has_steps:
        raise UserError(
            f"{method.name} learns from steps, but responses of {task.name} have none; "
            "use --task arithmetic."
        )
    if "step_rewards" in method.needs and not proxy.step_scores:
        raise UserError(
            f"{method.name} asks for the score of each step, and {proxy.name} scores whole "
            "responses; choose a --proxy that scores steps."
        )
    if "answers" in method.needs and not task.world.has_answers:
        raise UserError(
            f"{method.name} asks for the answer of each response, and responses of {task.name} "
            "have none; use --task arithmetic."
        )
    if not {"revisions", "revised_samples"}.isdisjoint(method.needs) and task.world.hub is not None:
        raise UserError(
            f"{method.name} asks for revisions, whose prompts end in a separator that {task.name} "
            "has not; choose a --task of a generated world."
        )
    if "mismatched" in method.native_only and task.pairs.batch_size < 2:
        raise UserError(
            f"{method.name} sets responses beside other prompts of their batch, and pairs come one "
            "by one; set pairs.batch_size to 2 or more."
        )
    if "novelty" in method.needs and proxy.reader is not None:
        raise UserError(
            f"{method.name} foretells the states of reward models, and {proxy.name} scores "
            "otherwise; choose another --proxy, such as single."
        )
