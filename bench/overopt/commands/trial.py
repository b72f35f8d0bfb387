"""Tries the user's own methods and proxies before a run starts, in a process of their own.

So the command itself neither imports torch nor runs anybody's code.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait

from overopt.errors import UserError
from overopt.execution.worker import enter_alone, spawning
from overopt.spec.method import MethodSpec
from overopt.spec.run import RunSpec
from overopt.spec.system import ProxySystemSpec

LIMIT_S = 300.0
"""Longest trial; that of a shipped method takes some seconds, most of them to import torch."""


def try_own(run: RunSpec, limit_s: float = LIMIT_S) -> None:
    """Call the functions of every method and proxy that is not shipped on made-up numbers.

    Args:
        run: whose methods and proxies are tried.
        limit_s: a trial that is not done by then is ended.

    Raises:
        UserError: the first thing that is wrong, in one sentence.
    """
    asked: list[MethodSpec | ProxySystemSpec] = [*run.methods, *run.proxies]
    own = [one for one in asked if not one.source.startswith("overopt.")]
    if not own:
        return
    names = ", ".join(one.source for one in own)
    context = spawning()
    answers, answering = context.Pipe(duplex=False)
    process = context.Process(target=_rehearse, args=(own, answering, os.getpid()), daemon=True)
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


def _rehearse(
    own: Sequence[MethodSpec | ProxySystemSpec], answering: Connection, driver_pid: int
) -> None:
    """Send what is wrong with the first one that is, or an empty text."""
    enter_alone(driver_pid)
    import torch

    from overopt.engines.rehearsals.method import rehearse

    torch.set_num_threads(1)
    try:
        for one in own:
            rehearse(one)
    except UserError as error:
        answering.send(str(error))
    else:
        answering.send("")
