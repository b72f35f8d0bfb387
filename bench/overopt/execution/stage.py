"""Stages by their full names: where their code lies, and the nodes that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from overopt.execution.canonical import plain
from overopt.execution.code.version import code_version
from overopt.execution.node import Node, Resources

_made: WeakValueDictionary[str, Node] = WeakValueDictionary()
"""Nodes by key: what many ask for is held once."""


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
    made = Node(
        stage=stage,
        params=plain(params),
        inputs=tuple(sorted((inputs or {}).items())),
        code=code_version(stage_module(stage), *extra),
        extra_code=extra,
        label=label,
        resources=resources or Resources(),
        kind=kind,
    )
    known = _made.setdefault(made.key, made)
    return known if _read_alike(known, made) else made


def _read_alike(one: Node, other: Node) -> bool:
    """Whether two nodes of one key are equal in what is no part of it as well."""
    return (
        (one.label, one.kind, one.resources) == (other.label, other.kind, other.resources)
        and one.extra_code == other.extra_code
        and all(mine[1] is theirs[1] for mine, theirs in zip(one.inputs, other.inputs, strict=True))
    )
