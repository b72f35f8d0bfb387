"""Stages as a graph of keys: what would be built, known without building or importing anything.

A node's key is the sha256 of its stage, parameters, code version and the keys of its inputs, so
that equal work has an equal key wherever it is asked for.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from overopt.execution.canonical import canonical_json


@dataclass(frozen=True)
class Resources:
    """What a stage may use; not part of its key.

    Attributes:
        timeout_s: wall time after which its worker is killed; None for no limit.
    """

    timeout_s: float | None = 3600.0


@dataclass(frozen=True, eq=False)
class Node:
    """One stage with its parameters and inputs; made by ``stage.node``.

    Attributes:
        stage: full name of its function, ``package.module`` or ``package.module:function``.
        params: plain JSON values.
        inputs: (role, node) pairs sorted by role.
        code: code version of the stage and of ``extra_code``.
        extra_code: modules or files that the stage loads by name.
        label: what people read; not part of the key.
        resources: limits; not part of the key.
        kind: nodes of one stage and kind are expected to cost the same; not part of the key.
    """

    stage: str
    params: Mapping[str, Any]
    inputs: tuple[tuple[str, Node], ...]
    code: str
    extra_code: tuple[str, ...] = ()
    label: str = ""
    resources: Resources = Resources()
    kind: str = ""

    @cached_property
    def key(self) -> str:
        """64 hexadecimal digits that name the artifact in every store."""
        return key_of(self, {role: given.key for role, given in self.inputs})

    @property
    def name(self) -> str:
        """The last word of the stage's full name, such as ``initial``: what people read."""
        return _last_word(self.stage)

    @property
    def title(self) -> str:
        """The label, or the stage's name where there is none."""
        return self.label or self.name


@cache
def _last_word(stage: str) -> str:
    return stage.replace(":", ".").rpartition(".")[2]


def key_of(made: Node, input_keys: Mapping[str, str]) -> str:
    """The key of a node that may have traveled without its inputs, given their keys by role."""
    identity = (
        f'{{"code":{canonical_json(made.code)},"inputs":{canonical_json(input_keys)},'
        f'"params":{canonical_json(made.params)},"stage":{canonical_json(made.stage)}}}'
    )
    return hashlib.sha256(identity.encode()).hexdigest()


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage in the block, in which many nodes are made and none is dropped.

    Nor among what was made in it afterwards: for commands that end soon after.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.enable()


def ancestry(nodes: Iterable[Node]) -> Iterator[Node]:
    """The nodes and all that they are made from: inputs first, each key once, in a fixed order."""
    seen: set[str] = set()
    stack = [(wanted, False) for wanted in reversed(list(nodes))]
    while stack:
        current, expanded = stack.pop()
        if expanded:
            yield current
        elif current.key not in seen:
            seen.add(current.key)
            stack.append((current, True))
            stack.extend((given, False) for _, given in reversed(current.inputs))
