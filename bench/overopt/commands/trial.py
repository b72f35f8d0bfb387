"""Tries the user's own methods and proxies before a run starts, in a process of their own.

So the command itself neither imports torch nor runs anybody's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from overopt.errors import UserError
from overopt.spec.method import MethodSpec
from overopt.spec.run import RunSpec
from overopt.spec.system import ProxySystemSpec


def try_own(run: RunSpec) -> None:
    """Call the functions of every method and proxy that is not shipped on made-up numbers.

    Raises:
        UserError: the first thing that is wrong, in one sentence.
    """
    asked: list[MethodSpec | ProxySystemSpec] = [*run.methods, *run.proxies]
    own = [one for one in asked if not one.source.startswith("overopt.")]
    if not own:
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            process.submit(_rehearse, own).result()
        except BrokenProcessPool as error:
            names = ", ".join(one.source for one in own)
            raise UserError(
                f"{names}: trying it on made-up numbers ended the process; import it in Python "
                "to see why."
            ) from error


def _rehearse(own: Sequence[MethodSpec | ProxySystemSpec]) -> None:
    import torch

    from overopt.engines.rehearsal import rehearse

    torch.set_num_threads(1)
    for one in own:
        rehearse(one)
