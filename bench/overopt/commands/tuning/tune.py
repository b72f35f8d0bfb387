"""``bench tune``: tries a few learning rates of every method, where no result is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from overopt.commands.printing import open_console
from overopt.commands.request import Request
from overopt.commands.tuning.choosing import choose
from overopt.commands.tuning.rates import Choice, Rates, read_rates, trains, write_rates
from overopt.errors import UserError
from overopt.report.stored.reading import read_results
from overopt.spec.method import MethodSpec
from overopt.spec.run import RunSpec

PLACE = 2**31
"""The world, and the first seed, of all trials: prompts and seeds of no result."""


def tune(
    methods: Sequence[str],
    task: str,
    proxy: str | None,
    factors: Sequence[float],
    seeds: int,
    out: Path,
    check: Callable[[Request], RunSpec],
    run: Callable[[RunSpec, Path], list[Path]],
) -> int:
    """Run every method at every rate, choose, write the file; 1 where a method has no choice.

    Args:
        methods: names, files, families or all; those that train nothing are left out.
        task: by name or file.
        proxy: what they are tried against; None for the usual one.
        factors: of the task's learning rate.
        seeds: how many, of each trial.
        out: the file; trials go beside it.
        check: resolves what is asked for.
        run: carries a run out and returns its folders.
    """
    spec = _spec(methods, task, proxy, seeds, check)
    former = read_rates(out, spec.task.name) if out.exists() else None
    wanted = tuple(sorted(set(factors)))
    if any(not 0 < factor < float("inf") for factor in wanted) or len(wanted) < 2:
        raise UserError(
            "--factors: give two or more different numbers above 0, such as 0.5 1 2; each "
            "multiplies the task's learning rate."
        )
    runs = out.with_name(f"{out.stem}-trials")
    points: dict[float, pd.DataFrame] = {}
    for factor in wanted:
        at_rate = [one.model_copy(update={"rate_factor": factor}) for one in spec.methods]
        trial = spec.model_copy(update={"methods": tuple(at_rate)})
        points[factor] = read_results(run(trial, runs / f"rate-{factor:g}")).points
    (system,) = spec.proxies
    chosen = {one.name: _choice(one, system.name, points) for one in spec.methods}
    rates = Rates(
        task=spec.task.name,
        world=PLACE,
        seeds=spec.seeds,
        factors=wanted,
        methods={name: choice for name, choice in sorted(chosen.items()) if choice is not None},
    )
    try:
        rates = rates if former is None else former.joined(rates)
    except ValueError as error:
        raise UserError(f"--out {out}: {error}; give another file.") from error
    write_rates(out, rates)
    console = open_console()
    console.print(_table(chosen))
    console.print(f"rates: {out}", soft_wrap=True)
    again = "" if task == Request().task else f" --task {task}"
    again += "" if proxy is None else f" --proxy {proxy}"
    words = f"bench run --rates {out} --method {' '.join(methods)}{again}"
    console.print(f"next: {words} --kl-grid", soft_wrap=True)
    return _tell_missing(chosen, console)


def _spec(
    methods: Sequence[str],
    task: str,
    proxy: str | None,
    seeds: int,
    check: Callable[[Request], RunSpec],
) -> RunSpec:
    """The trials at the task's own rate; methods that train nothing are left out."""
    request = Request(
        method=list(methods),
        task=task,
        proxy=[] if proxy is None else [proxy],
        seed=list(range(PLACE, PLACE + seeds)),
        world=[PLACE],
    )
    spec = check(request)
    if len(spec.proxies) > 1:
        raise UserError(f"--proxy {proxy}: a rate is chosen against one proxy; name one")
    trained = tuple(one for one in spec.methods if trains(one))
    if not trained:
        names = ", ".join(one.name for one in spec.methods)
        raise UserError(f"--method {names}: nothing here has a learning rate; name one that trains")
    return check(replace(request, method=[_name(one, methods) for one in trained]))


def _name(method: MethodSpec, asked: Sequence[str]) -> str:
    """The method as it was asked for: by its name or its file."""
    own = [word for word in asked if Path(word).resolve() == Path(method.source)]
    return own[0] if own else method.name


def _choice(method: MethodSpec, proxy: str, points: dict[float, pd.DataFrame]) -> Choice | None:
    by_rate = {factor: rows[rows["method"] == method.name] for factor, rows in points.items()}
    chosen = choose(by_rate, "proxy" if method.uses_gold == "none" else "gold")
    return None if chosen is None else chosen.model_copy(update={"proxy": proxy})


def _table(chosen: dict[str, Choice | None]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("method", "rate", "by", "tried: budgets reached, mean"):
        table.add_column(head, no_wrap=head == "method")
    for name, choice in chosen.items():
        if choice is None:
            table.add_row(name, "none", "", "no rate reached a budget with every seed")
            continue
        tried = "; ".join(
            f"{one.factor:g}: {one.budgets}, {'none' if one.mean is None else f'{one.mean:.3f}'}"
            for one in choice.tried
        )
        table.add_row(name, f"{choice.factor:g}", choice.by, tried)
    return table


def _tell_missing(chosen: dict[str, Choice | None], console: Console) -> int:
    missing = [name for name, choice in chosen.items() if choice is None]
    if missing:
        console.print(f"without a rate: {', '.join(missing)}", soft_wrap=True)
    return 1 if missing else 0
