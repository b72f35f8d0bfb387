"""What runs inside: the walls go up, then one named function is called with what was sent for it.

Started by ``launch`` as a fresh process with an order on its standard input. It splits in two: one
part waits outside of the new namespace of processes and tells what the other used; the other is
the first and only process inside, from which no further ones can start.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from overopt.errors import UserError, one_line, words_of
from overopt.leaderboard.sandbox import walls
from overopt.leaderboard.sandbox.delivery import Sender

REFUSED, FAILED = 3, 4
_LONGEST_WORDS = 2000


def main() -> NoReturn:
    """Read the order, build the walls, carry it out; never returns."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    pipe, told = int(order["pipe"]), int(order["told"])
    sender = Sender(pipe)
    walls.die_with_parent()
    try:
        walls.leave_namespaces(order["of_users"])
        inside = os.fork()
    except (walls.WallError, OSError) as error:
        sender.send("refused", words=str(error))
        os._exit(REFUSED)
    if inside:
        os.close(pipe)
        _watch(inside, told)
    os.close(told)
    try:
        walls.die_with_parent()
        walls.close_all_but(pipe)
        shell, views = Path(order["shell"]), [(view[0], view[1]) for view in order["views"]]
        walls.build_root(shell, views, int(order["limits"]["scratch_bytes"]))
        walls.set_limits(order["limits"])
        walls.drop_rights(is_root=not order["of_users"])
        walls.filter_calls()
    except (walls.WallError, OSError, KeyError, ValueError) as error:
        sender.send("refused", words=one_line(words_of(error), _LONGEST_WORDS))
        os._exit(REFUSED)
    _carry_out(order, sender)


def _watch(inside: int, told: int) -> NoReturn:
    """Wait for the process inside, and say how it ended and what it used."""
    os.write(told, json.dumps({"pid": inside}).encode() + b"\n")
    _, status, used = os.wait4(inside, 0)
    code = os.waitstatus_to_exitcode(status)
    record = {
        "code": code,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
    }
    os.write(told, json.dumps(record).encode() + b"\n")
    os._exit(0)


def _carry_out(order: dict[str, Any], sender: Sender) -> NoReturn:
    sys.path[:] = order["path"]
    try:
        module, _, name = order["entry"].partition(":")
        getattr(importlib.import_module(module), name)(order["arguments"], sender)
        sender.send("end")
    except BaseException as error:
        words = words_of(error)
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        sender.send("error", words=one_line(f"{kind}{words}", _LONGEST_WORDS))
        os._exit(FAILED)
    # no handler at exit of a stranger's code gets a turn
    os._exit(0)
