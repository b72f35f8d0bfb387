"""Stages by their full names: where their code lies, and the nodes that they make."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from overopt.execution.canonical import Plain, plain
from overopt.execution.code.version import code_version
from overopt.execution.node import Node, Resources

_made: WeakValueDictionary[Hashable, Node] = WeakValueDictionary()
"""Nodes by all that they were asked for with, so that what many ask for is made and held once."""


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
    allowed = resources or Resources()
    code = code_version(stage_module(stage), *extra)
    sources = tuple((role, id(one)) for role, one in given)
    asked = (stage, _fingerprint(params), sources, code, extra, label, allowed, kind)
    known = _made.get(asked)
    if known is None:
        known = _made[asked] = Node(stage, plain(params), given, code, extra, label, allowed, kind)
    return known


def _fingerprint(value: Any) -> Hashable:
    """What is equal only for equal JSON: 1 is not 1.0, and 0.0 is not -0.0.

    What never changes goes by its identity, which no other has as long as the node holds it.
    """
    kind = type(value)
    if kind is Plain:
        return id(value), Plain
    if isinstance(value, Mapping):
        return kind, tuple((key, _fingerprint(held)) for key, held in value.items())
    if isinstance(value, list | tuple):
        return list, tuple(map(_fingerprint, value))
    return kind, repr(value) if kind is float else value
