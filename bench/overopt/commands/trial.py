"""Tries what the user brings or sets before a run starts, in a process of its own.

So the command itself neither imports torch nor runs anybody's code.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait

from overopt.catalog import systems, toml_files
from overopt.catalog.lookup import shipped
from overopt.errors import UserError
from overopt.execution.worker import enter_alone, spawning
from overopt.spec.method import MethodSpec
from overopt.spec.run import RunSpec
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec
from overopt.spec.world import WorldSpec

Trial = tuple[MethodSpec | ProxySystemSpec, int, int, WorldSpec | None]
"""What is tried, with how many samples of each prompt, how many members that score each of them,
and the world whose terms it learns from."""

_OF_DATA = ("hub", "pool")
"""Kinds of worlds whose gold is one number; to build one reads all of its data."""

LIMIT_S = 300.0
"""Longest trial; that of a shipped method takes some seconds, most of them to import torch."""


def try_own(runs: Sequence[RunSpec], limit_s: float = LIMIT_S) -> None:
    """Call functions of methods and proxies on made-up numbers, so that mistakes show at once.

    Of every method and proxy that is not shipped, and of shipped ones at other settings than their
    own, which may exclude each other, not suit a proxy's members or the terms of the gold rule; of
    shipped methods also where a task draws an unusual number of samples.

    Args:
        runs: whose methods and proxies are tried, all in one process.
        limit_s: a trial that is not done by then is ended.

    Raises:
        UserError: the first thing that is wrong, in one sentence.
    """
    trials = [trial for run in runs for trial in _trials(run)]
    if not trials:
        return
    names = ", ".join(dict.fromkeys(one.source for one, *_ in trials))
    context = spawning()
    answers, answering = context.Pipe(duplex=False)
    process = context.Process(target=_rehearse, args=(trials, answering, os.getpid()), daemon=True)
    process.start()
    answering.close()
    try:
        ready = wait([answers], limit_s)
        told = answers.recv() if ready else None
    except EOFError as error:
        raise UserError(
            f"{names}: trying it on made-up numbers ended the process; import it in Python to see "
            "why."
        ) from error
    finally:
        process.kill()
        process.join()
        answers.close()
    if told is None:
        raise UserError(
            f"{names}: trying it on made-up numbers took longer than {limit_s:g} s; look for a "
            "loop without an end, or for work that is done at import."
        )
    if told:
        raise UserError(told)


def _trials(run: RunSpec) -> list[Trial]:
    """What of a run is tried, each method with every number of scoring members of its proxies."""
    members = sorted({proxy.scored for proxy in run.proxies})
    samples = run.task.rollout.samples_per_prompt
    proxies: list[Trial] = [
        (
            proxy,
            samples,
            proxy.scored,
            run.task.world if {"terms", "ratings"} & {*proxy.labels} else None,
        )
        for proxy in run.proxies
        if not _shipped(proxy) or proxy.config != systems.proxy(proxy.name).config
    ]
    methods = [
        method
        for method in run.methods
        if not _shipped(method)
        or method.config != systems.method(method.name).config
        or not _is_usual(run.task)
    ]
    return proxies + [(method, samples, count, None) for method in methods for count in members]


def _shipped(one: MethodSpec | ProxySystemSpec) -> bool:
    return one.source.startswith("overopt.")


def _is_usual(task: TaskSpec) -> bool:
    """Whether shipped methods are known to take as many samples of a prompt as the task draws.

    A shipped task is known to draw its own number, one of a file what any shipped task does.
    """
    tasks = shipped("tasks")
    known = {
        toml_files.load_task(name).rollout.samples_per_prompt
        for name in ([task.name] if task.name in tasks else tasks)
    }
    return task.rollout.samples_per_prompt in known


def _terms(spec: WorldSpec) -> int:
    """How many terms the gold rule of a world has; worlds of data have one."""
    import numpy as np

    from overopt.worlds.contract import build

    if spec.kind in _OF_DATA:
        return 1
    world = build(spec)
    prompt = world.train_prompts.take(np.zeros(1, np.int64))
    return len(world.gold_terms(prompt, prompt))


def _rehearse(trials: Sequence[Trial], answering: Connection, driver_pid: int) -> None:
    """Send what is wrong with the first one that is, or an empty text."""
    enter_alone(driver_pid)
    import torch

    from overopt.engines.rehearsals.method import rehearse
    from overopt.engines.rehearsals.sizes import Sizes

    torch.set_num_threads(1)
    try:
        for one, samples, members, world in trials:
            rehearse(one, Sizes(samples, members, None if world is None else _terms(world)))
    except UserError as error:
        answering.send(str(error))
    else:
        answering.send("")
