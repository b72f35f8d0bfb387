"""Stages by their full names: where their code lies, and the nodes that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from overopt.execution.canonical import plain
from overopt.execution.code.version import code_version
from overopt.execution.node import Node, Resources

_ORDINARY = Resources()
_made: WeakValueDictionary[str, Node] = WeakValueDictionary()
"""Nodes by their keys, so that what many ask for is held once."""


def stage_module(stage: str) -> str:
    """The module of a stage that is named ``package.module`` or ``package.module:function``."""
    return stage.partition(":")[0]


def stage_function(stage: str) -> str:
    """The function of a stage: ``run`` unless the name ends in ``:function``."""
    return stage.partition(":")[2] or "run"


def node(
    stage: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, Node] | None = None,
    *,
    label: str = "",
    extra_code: Iterable[str] = (),
    resources: Resources | None = None,
    kind: str = "",
) -> Node:
    """Make a node; its parameters are copied, and its code version is taken now.

    Args:
        stage: full name of the stage, see ``stage_module``.
        params: JSON values; tuples become lists.
        inputs: role -> node whose artifact the stage reads.
        label: human text, such as ``part 2 of 5``.
        extra_code: modules or ``.py`` files that the stage loads by name.
        resources: limits, by default one core and one hour.
        kind: what equal costs are expected of, such as ``small data: part``.

    Raises:
        UserError: there is no module of the stage, or of ``extra_code``, to take a version of.
    """
    extra = tuple(sorted(set(extra_code)))
    given = tuple(sorted((inputs or {}).items()))
    allowed = resources or _ORDINARY
    code = code_version(stage_module(stage), *extra)
    made = Node(stage, plain(params), given, code, extra, label, allowed, kind)
    known = _made.get(made.key)
    if known is not None and _is_told_alike(known, made):
        return known
    _made[made.key] = made
    return made


def _is_told_alike(one: Node, other: Node) -> bool:
    """Whether nodes of one key agree in what is no part of it, and are made of the same nodes.

    Without the latter, a node of another graph would bring inputs that are told otherwise.
    """
    return (
        one.label == other.label
        and one.kind == other.kind
        and one.extra_code == other.extra_code
        and one.resources == other.resources
        and all(mine is its for (_, mine), (_, its) in zip(one.inputs, other.inputs, strict=True))
    )
