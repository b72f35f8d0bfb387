"""From what the user typed to a resolved ``RunSpec``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from pydantic import ValidationError

from overopt.catalog import lookup, systems, toml_files
from overopt.catalog.declarations import unknown
from overopt.catalog.label_words import distinct, flaws_of, noises_of
from overopt.commands.engine import choose_engine
from overopt.commands.options.names import expand, same_name
from overopt.commands.options.settings import read_settings
from overopt.commands.request import Request
from overopt.commands.stored_run import stored_run
from overopt.commands.tuning.rates import read_rates, with_rates
from overopt.errors import UserError
from overopt.run.cells import in_world
from overopt.run.sources import pin
from overopt.spec.explanations import explain
from overopt.spec.gold import GoldSpec
from overopt.spec.proxy import ProxyStart
from overopt.spec.run import Along, RunSpec
from overopt.spec.task import TaskSpec
from overopt.worlds.contract import list_kinds

TASK_GRID = "task"
"""What a bare ``--kl-grid`` stands for."""

_SEVERAL = (
    "--method",
    "-m",
    "--proxy",
    "--noise",
    "--flaw",
    "--kl-grid",
    "--seed",
    "--world",
    "--proxy-start",
    "--proxy-width",
    "--comparisons",
    "--figures",
    "--set",
    "--axis",
    "--needs",
    "--report-to",
    "--factors",
    "--monitor",
    "--runs",
    "--width",
    "--stacked-method",
    "--variant",
)
_AXES = frozenset(("world.seed",))
"""Settings that say which cells are run, as ``--seed`` does, and leave the task as it is."""

MOST_SEEDS = 1000
"""Seeds, or worlds, of one run."""
MOST_CELLS = 200_000
"""Combinations of method, proxy, noise, seed, world and sizes in one run."""

_NUMBER = re.compile(r"^-[0-9.]")


def spread(words: Sequence[str]) -> list[str]:
    """Let options take several values: ``--method bon dpo`` becomes ``--method bon --method dpo``.

    A bare ``--kl-grid`` becomes ``--kl-grid task``. The options of ``measure`` take one value each,
    since its files may follow them.
    """
    if words[:1] == ["measure"]:
        return list(words)
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


def resolve(request: Request) -> RunSpec:
    """Check everything that can be checked before anything runs.

    Raises:
        UserError: one sentence about the first thing that is wrong.
    """
    if request.stored is not None:
        return stored_run(request)
    if request.axis or request.rounds is not None:
        raise UserError("--axis and --rounds ask for several runs; this takes one, leave them out.")
    request = named(request)
    if not request.method:
        known = ", ".join(lookup.names("methods"))
        raise UserError(f"Which method? Give --method with one or more of: {known}.")
    overrides, of_method = read_settings(request)
    task = toml_files.load_task(request.task, overrides)
    lookup.check_name("tasks", request.task, task.name)
    if task.world.kind not in list_kinds():
        raise UserError(
            f"Task {task.name}: {unknown('kind of world', task.world.kind, list_kinds())}"
        )
    grid, own_grid = _kl_grid(request.kl_grid, task)
    gold = _gold(request.gold or task.gold, task)
    methods = tuple(systems.method(name, of_method.get(name, {})) for name in request.method)
    if request.rates is not None:
        methods = with_rates(methods, read_rates(request.rates, task.name), request.rates)
    proxies = tuple(
        systems.proxy(name, of_method.get(name, {})) for name in request.proxy or ["single"]
    )
    lookup.check_names("methods", methods)
    lookup.check_names("proxies", proxies)
    starts = _starts(task, request.proxy_start)
    _check_widths(gold, task, starts, request.proxy_width)
    worlds = _worlds(request, task, "world.seed" in overrides)
    task, gold = pin(in_world(task, worlds[0]), gold)
    try:
        run = RunSpec(
            task=task,
            worlds=worlds,
            gold=gold,
            methods=methods,
            proxies=proxies,
            noises=noises_of(request.noise or ["0"]),
            flaws=flaws_of(request.flaw),
            proxy_starts=starts,
            proxy_widths=_positive("--proxy-width", request.proxy_width) or (task.proxy.width,),
            comparisons=_positive("--comparisons", request.comparisons)
            or (task.proxy.comparisons,),
            seeds=_seeds(request),
            along=_along(request.along),
            engine=choose_engine(request.engine, task, methods, proxies),
            kl_grid_nats=grid,
            standard=not (own_grid or overrides.keys() - _AXES or of_method or request.comparisons)
            and not (request.proxy_start or request.proxy_width)
            and gold.name == task.gold
            and request.rates is None
            and request.task in lookup.shipped("tasks"),
            tuned=request.rates is not None,
        )
    except ValidationError as error:
        raise UserError(explain(error, "command line", RunSpec)) from error
    _check_size(run)
    return run


def _check_size(run: RunSpec) -> None:
    axes = (run.methods, run.proxies, run.noises, run.proxy_starts, run.proxy_widths)
    cells = math.prod(map(len, (*axes, run.comparisons, run.seeds, run.worlds)))
    cells *= 1 + len(run.flaws)
    if cells > MOST_CELLS:
        raise UserError(
            f"{cells:,} cells are more than one run holds ({MOST_CELLS:,}); ask for fewer methods, "
            "proxies, noises, seeds or worlds, and run the rest afterwards."
        )


def named(request: Request) -> Request:
    """The request with every name as it is written in results; see ``names.expand``."""
    return replace(
        request,
        method=expand("methods", request.method),
        proxy=expand("proxies", request.proxy),
        task=same_name("tasks", request.task),
        gold=None if request.gold is None else same_name("gold", request.gold),
    )


def _gold(name: str, task: TaskSpec) -> GoldSpec:
    """The gold, with the task's classifier where it is one without its own."""
    gold = toml_files.load_gold(name)
    lookup.check_name("gold", name, gold.name)
    if task.world.hub is None and gold.kind == "classifier":
        raise UserError(
            f"--gold {gold.name}: a classifier reads real text, so it can judge hub worlds only, "
            f"not {task.world.kind}; choose rule or model."
        )
    if task.world.hub is not None and gold.kind == "model":
        raise UserError(
            f"--gold {gold.name}: gold models are trained on the rule of a generated world; on "
            "hub worlds take classifier or rule."
        )
    if task.world.pool is not None and gold.kind != "rule":
        raise UserError(
            f"--gold {gold.name}: responses of a pool are scored in its table; take rule."
        )
    if gold.kind == "classifier" and gold.classifier is None:
        if task.classifier is None:
            raise UserError(
                f"{task.name}: its gold is a classifier, but no table [classifier] says which; "
                "add one with path, or name and revision."
            )
        gold = gold.model_copy(update={"classifier": task.classifier})
    return gold


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


def _seeds(request: Request) -> tuple[int, ...]:
    if not 1 <= request.seeds <= MOST_SEEDS:
        raise UserError(
            f"--seeds {request.seeds}: it is a count from 1 to {MOST_SEEDS:,}; give 5 or more for "
            "intervals."
        )
    return _numbers("seed", request.seed) or tuple(range(request.seeds))


def _worlds(request: Request, task: TaskSpec, is_set: bool) -> tuple[int, ...]:
    """Seeds of the worlds; left out, the one that the task or ``--set world.seed`` names."""
    if request.worlds is None and not request.world:
        return (task.world.seed,)
    if is_set:
        raise UserError(
            "--set world.seed names one world, --worlds and --world name several; give one of them."
        )
    if request.worlds is not None and not 1 <= request.worlds <= MOST_SEEDS:
        raise UserError(
            f"--worlds {request.worlds}: it is a count from 1 to {MOST_SEEDS:,}; give 3 or more "
            "for an interval across worlds."
        )
    return _numbers("world", request.world) or tuple(range(request.worlds or 1))


def _numbers(option: str, seeds: Sequence[int]) -> tuple[int, ...]:
    """Seeds as given, each once."""
    wrong = next((seed for seed in seeds if not 0 <= seed < 2**32), None)
    if wrong is not None:
        raise UserError(
            f"--{option} {wrong}: a seed is a whole number from 0 to 2^32 - 1; give another."
        )
    return distinct(option, tuple(seeds))


def _positive(option: str, values: Sequence[int]) -> tuple[int, ...]:
    for value in values:
        if value < 1:
            raise UserError(f"{option} {value}: it must be at least 1; give a larger number.")
    return distinct(option.removeprefix("--"), tuple(values))


def _along(text: str) -> Along:
    if text == "step":
        return "step"
    if text == "knob":
        return "knob"
    raise UserError(
        f"--along {text}: choose step (one run, kept as it crosses each budget) or knob (the "
        "method's knob, such as beta, driven to each budget)."
    )


def _starts(task: TaskSpec, words: Sequence[str]) -> tuple[ProxyStart, ...]:
    """What the proxies start from; left out, what the task says."""
    known = get_args(ProxyStart)
    for word in words:
        if word not in known:
            raise UserError(f"--proxy-start: {unknown('start', word, known)}")
        if word not in ("policy", task.proxy.start):
            table = "proxy.architecture" if word == "scratch" else "proxy.base"
            raise UserError(
                f"--proxy-start {word}: {task.name} has no table [{table}] to start from; add it "
                "to the task, or choose policy."
            )
    asked = tuple(start for word in words for start in known if start == word)
    return distinct("proxy-start", asked) or (task.proxy.start,)


def _check_widths(
    gold: GoldSpec, task: TaskSpec, starts: Sequence[ProxyStart], widths: Sequence[int]
) -> None:
    """Heads must divide every proxy's width, and the gold must be larger than every proxy."""
    made = [task.proxy.architecture if start == "scratch" else None for start in starts]
    proxy = next(filter(None, made), None)
    if proxy is None and widths:
        raise UserError(
            f"--proxy-width {widths[0]}: the proxies of {task.name} start from a model and "
            "have its width; leave the option out."
        )
    sizes = []
    if proxy is not None:
        for width in widths:
            if width % proxy.heads:
                raise UserError(
                    f"--proxy-width {width}: the proxies have {proxy.heads} attention heads, which "
                    f"must divide it; give a multiple of {proxy.heads}."
                )
        sizes.append((max(widths, default=proxy.width), proxy.layers))
    if "policy" in starts and task.policy.architecture is not None:
        sizes.append((task.policy.architecture.width, task.policy.architecture.layers))
    if gold.architecture is None:
        return
    for width, layers in sizes:
        if width >= gold.architecture.width or layers > gold.architecture.layers:
            raise UserError(
                f"Gold {gold.name} (width {gold.architecture.width}, {gold.architecture.layers} "
                f"layers) must be larger than every proxy (width {width}, {layers} layers); "
                "choose smaller proxies."
            )
