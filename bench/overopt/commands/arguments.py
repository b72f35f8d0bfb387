"""From what the user typed to a resolved ``RunSpec``."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from overopt import catalog
from overopt.errors import UserError
from overopt.spec import ArchitectureSpec, GoldSpec, NoiseSpec, RunSpec, TaskSpec

TASK_GRID = "task"
"""What a bare ``--kl-grid`` stands for."""

_SEVERAL = (
    "--method",
    "-m",
    "--proxy",
    "--noise",
    "--kl-grid",
    "--seed",
    "--proxy-width",
    "--comparisons",
    "--set",
)
T = TypeVar("T")

_NUMBER = re.compile(r"^-[0-9.]")


def spread(words: Sequence[str]) -> list[str]:
    """Let options take several values: ``--method bon dpo`` becomes ``--method bon --method dpo``.

    A bare ``--kl-grid`` becomes ``--kl-grid task``.
    """
    done: list[str] = []
    option = ""
    taken = 0
    for word in [*words, "--"]:
        begins = word.startswith("-") and not _NUMBER.match(word)
        if not begins and option and taken:
            done += [option, word]
            continue
        if begins and option == "--kl-grid" and not taken:
            done.append(TASK_GRID)
        if begins:
            name = word.partition("=")[0]
            option, taken = (name if name in _SEVERAL else ""), int("=" in word)
        else:
            taken += 1
        done.append(word)
    return done[:-1]


@dataclass(frozen=True)
class Request:
    """The options of ``bench run`` and ``bench plan`` as typed."""

    method: list[str]
    task: str
    gold: str | None
    proxy: list[str]
    proxy_width: list[int]
    comparisons: list[int]
    noise: list[str]
    seeds: int
    seed: list[int]
    kl_grid: list[str]
    along: str
    settings: list[str]


def resolve(request: Request) -> RunSpec:
    """Check everything that can be checked before anything runs.

    Raises:
        UserError: one sentence about the first thing that is wrong.
    """
    if not request.method:
        known = ", ".join(catalog.names("methods"))
        raise UserError(f"Which method? Give --method with one or more of: {known}.")
    overrides, of_method = _settings(request)
    task = catalog.load_task(request.task, overrides)
    grid, own_grid = _kl_grid(request.kl_grid, task)
    gold = catalog.load_gold(request.gold or task.gold)
    methods = tuple(catalog.method(name, of_method.get(name, {})) for name in request.method)
    for unsupported in (m for m in methods if m.family not in ("pairs", "rollout", "selection")):
        raise UserError(
            f"{unsupported.name}: the native engine runs the families pairs, rollout and "
            f"selection, not {unsupported.family}; choose another method."
        )
    proxies = tuple(
        catalog.proxy(name, of_method.get(name, {})) for name in request.proxy or ["single"]
    )
    _check_gold_is_larger(gold, task.proxy.architecture, request.proxy_width)
    try:
        return RunSpec(
            task=task,
            gold=gold,
            methods=_distinct("method", methods),
            proxies=_distinct("proxy", proxies),
            noises=_distinct("noise", tuple(_noise(text) for text in request.noise or ["0"])),
            proxy_widths=tuple(request.proxy_width) or (task.proxy.architecture.width,),
            comparisons=tuple(request.comparisons) or (task.proxy.comparisons,),
            seeds=_seeds(request),
            along=_along(request.along),
            kl_grid_nats=grid,
            standard=not (own_grid or overrides or of_method or request.proxy_width)
            and not request.comparisons
            and not request.task.endswith(".toml"),
        )
    except ValidationError as error:
        raise UserError(catalog.explain(error, "command line", RunSpec)) from error


def _settings(
    request: Request,
) -> tuple[dict[str, object], dict[str, dict[str, object]]]:
    """``--set`` values: of the task (dotted keys) and of methods and proxies (``dpo.beta=0.2``)."""
    own = {
        Path(name).stem if name.endswith(".py") else name: name
        for name in [*request.method, *request.proxy]
    }
    of_task: dict[str, object] = {}
    of_method: dict[str, dict[str, object]] = {}
    for text in request.settings:
        key, equals, written = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--set {text}: write it as KEY=VALUE, such as dpo.beta=0.2.")
        try:
            value = tomllib.loads(f"value = {written.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            value = written.strip()
        head, dot, rest = key.strip().partition(".")
        if dot and head in own:
            of_method.setdefault(own[head], {})[rest] = value
        else:
            of_task[key.strip()] = value
    return of_task, of_method


def _kl_grid(words: Sequence[str], task: TaskSpec) -> tuple[tuple[float, ...], bool]:
    """The budgets in nats, and whether they are the user's own."""
    if not words or list(words) == [TASK_GRID]:
        return task.kl_grid_nats, False
    values: list[float] = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        if not 0 < value < float("inf"):
            raise UserError(
                f"--kl-grid {word}: a KL budget is a number of nats above 0; give budgets such "
                "as 0.5 2 8, or --kl-grid alone for the task's own."
            )
        values.append(value)
    return tuple(sorted(set(values))), True


def _noise(text: str) -> NoiseSpec:
    try:
        return NoiseSpec.parse(text)
    except ValueError as error:
        reason = (
            catalog.explain(error, "", NoiseSpec)
            if isinstance(error, ValidationError)
            else f"{error}."
        )
        raise UserError(f"--noise: {reason.removeprefix(': ')}") from error


def _seeds(request: Request) -> tuple[int, ...]:
    seeds = tuple(request.seed) or tuple(range(request.seeds))
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise UserError("--seeds is a count of at least 1; --seed takes distinct numbers from 0.")
    return seeds


def _along(text: str) -> Literal["step", "beta"]:
    if text == "step":
        return "step"
    if text == "beta":
        return "beta"
    raise UserError(catalog.unknown("axis", text, ("step", "beta")))


def _distinct(kind: str, values: tuple[T, ...]) -> tuple[T, ...]:
    for position, value in enumerate(values):
        if value in values[:position]:
            name = getattr(value, "name", None) or getattr(value, "label", value)
            raise UserError(f"--{kind} {name} is given twice; give it once.")
    return values


def _check_gold_is_larger(gold: GoldSpec, proxy: ArchitectureSpec, widths: Sequence[int]) -> None:
    if gold.architecture is None:
        return
    largest = max(widths, default=proxy.width)
    if largest >= gold.architecture.width or proxy.layers > gold.architecture.layers:
        raise UserError(
            f"The gold (width {gold.architecture.width}, {gold.architecture.layers} layers) must "
            f"be larger than every proxy (width {largest}, {proxy.layers} layers); choose smaller "
            "proxies."
        )


def default_workers() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
