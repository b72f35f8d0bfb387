"""``overopt.run``: what ``bench run`` does, as a function."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from operator import index
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from overopt.commands.axes.grid import resolve_all
from overopt.commands.machine import check_folder, count_workers
from overopt.commands.request import Request

Name = str | PathLike[str]
"""A name, or a file of one's own."""


def run(
    method: Name | Sequence[Name],
    *,
    proxy: Name | Sequence[Name] = (),
    task: Name = "reviews",
    gold: Name | None = None,
    settings: Mapping[str, object] | Sequence[str] = (),
    axis: Mapping[str, Sequence[object]] | Sequence[str] = (),
    seeds: int = 5,
    seed: int | Sequence[int] = (),
    worlds: int | None = None,
    world: int | Sequence[int] = (),
    noise: float | str | Sequence[float | str] = (),
    rounds: int | None = None,
    flaw: str | Sequence[str] = (),
    comparisons: int | Sequence[int] = (),
    proxy_start: str | Sequence[str] = (),
    proxy_width: int | Sequence[int] = (),
    kl_grid: float | Sequence[float] = (),
    along: str = "step",
    engine: str | None = None,
    rates: Name | None = None,
    out: Name = "results",
    store: Name | None = None,
    workers: int | None = None,
    quiet: bool = False,
    report_to: str | Sequence[str] = (),
) -> list[Path]:
    """Run methods at KL budgets and write their points, as ``bench run`` does.

    Killed at any moment, the same call continues where it stopped. Worker processes are started
    afresh, so that a script calls it below ``if __name__ == "__main__":``.

    Args:
        method: one or more names of ``bench list methods``, or paths of ``.py`` files.
        proxy: likewise of ``bench list proxies``; by default ``single``.
        task: a name of ``bench list tasks``, or the path of a ``.toml`` file.
        gold: a name of ``bench list gold``, or the path of a ``.toml`` file; by default the task's.
        settings: what ``--set`` takes, such as ``{"dpo.beta": 0.2}`` or ``["dpo.beta=0.2"]``.
        axis: settings at several levels, such as ``{"uwo.members": [1, 3, 5]}`` or
            ``["width=16,32"]``; each combination is a result of its own.
        seeds, seed: how many, or which.
        worlds, world: how many, or which; by default the task's one world.
        noise: label noise, such as 0.25 or ``"bt:1"``; by default none.
        rounds: of relabeling, each a result of its own; see ``bench run --help``.
        flaw: flaws of the labels by dose, such as ``"length:0.5"``, each beside the run without it.
        comparisons, proxy_start, proxy_width: data and proxies; by default the task's.
        kl_grid: KL budgets in nats per response; by default the task's.
        along: ``step`` or ``knob``.
        engine: ``native``, ``stacked`` or ``trl``; by default what fits the task.
        rates: a file of ``bench tune``; by default every method trains at the task's rate.
        out: results go to ``out/task/method/run``.
        store: keeps finished stages; by default ``$OVEROPT_STORE``, else the user's cache.
        workers: processes; by default one per core.
        quiet: show no progress.
        report_to: trackers that training is sent to, such as ``tensorboard``.

    Returns:
        The run folders, one per method, for ``load_results`` and ``plot_curves``. Cells that
        failed are rows with status ``failed``, and are named on the standard error stream.

    Raises:
        UserError: an option is wrong, or a disk refuses.
    """
    given: dict[str, Any] = {
        "method": _texts(method),
        "proxy": _texts(proxy),
        "task": fspath(task),
        "gold": None if gold is None else fspath(gold),
        "settings": _settings(settings),
        "axis": _axes(axis),
        "seeds": seeds,
        "seed": _counts(seed),
        "worlds": worlds,
        "world": _counts(world),
        "noise": _texts(noise),
        "rounds": rounds,
        "flaw": _texts(flaw),
        "comparisons": _counts(comparisons),
        "proxy_start": _texts(proxy_start),
        "proxy_width": _counts(proxy_width),
        "kl_grid": _texts(kl_grid),
        "along": along,
        "engine": engine,
        "rates": None if rates is None else Path(rates),
    }
    request = Request(**given)
    specs, count, folder = resolve_all(request), count_workers(workers), Path(out)
    check_folder("out", folder)
    from overopt.commands.run import make_runs
    from overopt.commands.shell.trackers import check_trackers, report_runs

    trackers = _texts(report_to)
    check_trackers(trackers)
    place = None if store is None else Path(store)
    folders = make_runs(specs, place, folder, count, quiet, as_typed(request)).folders
    report_runs(folders, trackers, folder)
    return folders


def as_typed(request: Request) -> list[str]:
    """The command that asks for the same, for the record of a run."""
    words, plain = ["bench", "run"], Request()
    for one in fields(Request):
        value = getattr(request, one.name)
        if value != getattr(plain, one.name):
            option = "set" if one.name == "settings" else one.name.replace("_", "-")
            words += [f"--{option}", *map(str, value if isinstance(value, list) else [value])]
    return words


def _several(value: Any) -> list[Any]:
    """One value or several, as a list."""
    single = isinstance(value, str | PathLike) or not isinstance(value, Iterable)
    return [value] if single else list(value)


def _counts(value: int | Iterable[int]) -> list[int]:
    """One whole number or several, those of numpy included."""
    return [index(one) for one in _several(value)]


def _texts(value: Any) -> list[str]:
    """One value or several, as typed on a command line."""
    return [fspath(one) if isinstance(one, PathLike) else str(one) for one in _several(value)]


def _settings(given: Mapping[str, object] | Sequence[str]) -> list[str]:
    """Settings as ``--set`` takes them; values that are not text are written as TOML."""
    if not isinstance(given, Mapping):
        return _texts(given)
    return [
        f"{key}={value}" if isinstance(value, str) else f"{key}={json.dumps(value)}"
        for key, value in given.items()
    ]


def _axes(given: Mapping[str, Sequence[object]] | Sequence[str]) -> list[str]:
    """Axes as ``--axis`` takes them."""
    if not isinstance(given, Mapping):
        return _texts(given)
    return [
        f"{key}={','.join(one if isinstance(one, str) else json.dumps(one) for one in levels)}"
        for key, levels in given.items()
    ]
