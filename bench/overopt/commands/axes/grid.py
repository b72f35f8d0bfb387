"""The runs of a command with axes: one for each combination of levels.

A level is a setting, so that every combination is a run with settings of its own and its own
folder, and carries the levels as part of what it is. What the levels have in common is built once,
since finished stages are found by what made them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from overopt.catalog import lookup
from overopt.commands.arguments import MOST_CELLS, named, resolve
from overopt.commands.axes.words import OPTIONS, Axis, read_axes, value_of
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.run.cells import cells_of
from overopt.spec.level import LevelSpec
from overopt.spec.rounds import MOST_ROUNDS
from overopt.spec.run import RunSpec

Combination = tuple[tuple[str, str], ...]
"""Keys with the value that each has, as typed."""


class _Part(NamedTuple):
    """Methods, or proxies, that run at the same levels of their own axes."""

    names: tuple[str, ...]
    levels: Combination


def resolve_all(request: Request) -> list[RunSpec]:
    """Every run that a command asks for: one without axes, else one per combination of levels.

    The axis of a method or of a proxy varies that one alone; the others run once beside it. A
    method that does not see the proxy runs once whatever is varied in proxies.

    Raises:
        UserError: as ``resolve``; or an axis is none, or is given as an option or setting too.
    """
    axes = read_axes([*request.axis, *_rounds(request.rounds)])
    if request.stored is not None:
        return [resolve(request)]
    plain = named(_with_options(replace(request, axis=[], rounds=None), axes))
    own = [axis for axis in axes if axis.key not in OPTIONS]
    if not own:
        return [resolve(plain)]
    _refuse_twice(plain, own)
    methods = _parts(plain.method, own)
    proxies = _parts(plain.proxy or ["single"], own)
    owned = {key for part in (*methods, *proxies) for key, _ in part.levels}
    of_task = [axis for axis in own if axis.key not in owned]
    of_proxies = [axis for axis in of_task if _is_of_proxies(axis.key)]
    runs = []
    for shared in _combinations(of_task):
        first = all(dict(shared)[axis.key] == axis.values[0] for axis in of_proxies)
        for method, (place, proxy) in itertools.product(methods, enumerate(proxies)):
            asked = replace(plain, method=list(method.names), proxy=list(proxy.names))
            levels = (*shared, *method.levels, *proxy.levels)
            run = _at(asked, levels)
            if place or not first:
                seeing = tuple(one for one in run.methods if one.sees_proxy)
                run = run.model_copy(update={"methods": seeing})
            if run.methods:
                runs.append(run)
    _check_size(runs)
    return runs


def _rounds(count: int | None) -> list[str]:
    """``--rounds K`` as the axis that it is."""
    if count is None:
        return []
    if not 1 <= count <= MOST_ROUNDS:
        raise UserError(f"--rounds {count}: it is a count from 1 to {MOST_ROUNDS}; give another.")
    return [f"rounds={','.join(str(number) for number in range(1, count + 1))}"]


def _at(request: Request, levels: Combination) -> RunSpec:
    """The run at some levels, which are part of what it is."""
    settings = [*request.settings, *(f"{key}={value}" for key, value in levels)]
    run = resolve(replace(request, settings=settings))
    known = tuple(LevelSpec(key=key, value=value_of(value)) for key, value in levels)
    return run.model_copy(update={"levels": known})


def _with_options(request: Request, axes: Sequence[Axis]) -> Request:
    """The request with those axes that are options put where their option would put them."""
    for axis in axes:
        if axis.key not in OPTIONS:
            continue
        option = "proxy-width" if axis.key == "width" else axis.key
        if getattr(request, option.replace("-", "_")):
            raise UserError(f"--axis {axis.key} is --{option}, which is given too; leave one out.")
        if axis.key == "noise":
            request = replace(request, noise=list(axis.values))
        elif axis.key == "width":
            request = replace(request, proxy_width=_whole_numbers(axis))
        else:
            request = replace(request, comparisons=_whole_numbers(axis))
    return request


def _whole_numbers(axis: Axis) -> list[int]:
    numbers = [value_of(value) for value in axis.values]
    if any(type(number) is not int for number in numbers):
        raise UserError(
            f"--axis {axis.key}={','.join(axis.values)}: its levels are whole numbers; give such "
            "as 16,32,64."
        )
    return [int(number) for number in numbers]


def _refuse_twice(request: Request, axes: Sequence[Axis]) -> None:
    """Refuse an axis whose setting is fixed as well."""
    fixed = {text.partition("=")[0].strip() for text in request.settings}
    for axis in axes:
        if axis.key in fixed:
            raise UserError(f"--axis {axis.key}: --set fixes it too; leave one of them out.")
        if axis.key == "world.seed":
            raise UserError("--axis world.seed: worlds have an option; give --worlds or --world.")


def _parts(names: Sequence[str], axes: Sequence[Axis]) -> list[_Part]:
    """Names without an axis of their own together, then each of the others at each level."""
    axes_of = {name: [axis for axis in axes if _owns(name, axis.key)] for name in names}
    plain = tuple(name for name in names if not axes_of[name])
    varied = [
        _Part((name,), levels)
        for name in names
        if axes_of[name]
        for levels in _combinations(axes_of[name])
    ]
    return [*([_Part(plain, ())] if plain else []), *varied]


def _owns(name: str, key: str) -> bool:
    """Whether a setting is one of a method or proxy, as ``read_settings`` sees it."""
    head, dot, _ = key.partition(".")
    return bool(dot) and lookup.canonical(head) == lookup.canonical(
        Path(name).stem if is_file(name) else name
    )


def _is_of_proxies(key: str) -> bool:
    return key.startswith("proxy.") and key != "proxy.comparisons"


def _combinations(axes: Sequence[Axis]) -> list[Combination]:
    return [
        tuple(zip((axis.key for axis in axes), values, strict=True))
        for values in itertools.product(*(axis.values for axis in axes))
    ]


def _check_size(runs: Sequence[RunSpec]) -> None:
    cells = sum(len(cells_of(run)) for run in runs)
    if cells > MOST_CELLS:
        raise UserError(
            f"{cells:,} cells of all levels are more than one command holds ({MOST_CELLS:,}); ask "
            "for fewer levels, and run the rest afterwards."
        )
