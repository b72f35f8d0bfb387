"""Which engine trains the policies of a run."""

from __future__ import annotations

from typing import get_args

from overopt.catalog.declarations import unknown
from overopt.catalog.stackable import check_stackable
from overopt.engines.trl.version import FAMILIES, check_versions
from overopt.errors import UserError
from overopt.spec.engine import Engine
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec


def choose_engine(
    text: str | None,
    task: TaskSpec,
    methods: tuple[MethodSpec, ...],
    proxies: tuple[ProxySystemSpec, ...],
) -> Engine:
    """The engine; left out, one that trains all methods of the run, so that they compare.

    Raises:
        UserError: there is no such engine, or it cannot train all that is asked for.
    """
    if text is None:
        trained = {method.trains for method in methods} - {"selection"}
        real = task.world.hub is not None and trained and trained <= set(FAMILIES)
        native = [method for method in methods if method.native_only]
        real = real and not native and not any(system.refits for system in proxies)
        text = "trl" if real else "native"
    if text == "native":
        return "native"
    if text == "stacked":
        _check_stacked(task, methods, proxies)
        return "stacked"
    if text == "trl":
        check_versions()
        for system in proxies:
            if system.refits:
                raise UserError(f"{system.name} is trained during a run; give --engine native.")
        for method in methods:
            if method.native_only:
                raise UserError(
                    f"{method.name} needs {method.native_only[0]}, which the engine trl does not "
                    "have; leave --engine out or say --engine native."
                )
        return "trl"
    raise UserError(unknown("engine", text, get_args(Engine)))


def _check_stacked(
    task: TaskSpec, methods: tuple[MethodSpec, ...], proxies: tuple[ProxySystemSpec, ...]
) -> None:
    """Refuse what a stack of small policies cannot train (``engines.stacked``).

    Raises:
        UserError: a method is not served, a proxy is trained during a run, or models are given.
    """
    if task.world.hub is not None:
        raise UserError(
            f"The engine stacked trains small policies made from scratch; {task.name} takes a "
            "model: say --engine trl or native."
        )
    for system in proxies:
        if system.refits:
            raise UserError(f"{system.name} is trained during a run; give --engine native.")
    for method in methods:
        check_stackable(method)
