"""Monitors resolved from their files, every setting given and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from overopt.catalog.declarations import require_functions, unknown
from overopt.catalog.lookup import declaration
from overopt.errors import UserError
from overopt.spec.monitor import LIMIT, Act, MonitorSpec, Signal

_FUNCTIONS = {"statistic": "config, seen", "reason": "config, seen, value"}


def monitor(name: str, given: Mapping[str, object] | None = None) -> MonitorSpec:
    """The monitor of a name or file, its settings checked; nothing of it is run.

    Raises:
        UserError: the file, or a value, is not as it should be.
    """
    found = declaration("monitors", name)
    source, constants = found.source, found.constants
    for other, option in (("FAMILY", "--method"), ("INPUTS", "--proxy")):
        if other in constants:
            raise UserError(f"{source}: this is no monitor; give it with {option}.")
    reads, acts = constants.get("READS"), constants.get("ACTS")
    if not isinstance(reads, tuple):
        raise UserError(
            f"{source}: a monitor declares the signals that it reads; write "
            'READS = ("kl_nats",), or READS = () where the step is enough.'
        )
    for signal in reads:
        if signal not in get_args(Signal):
            raise UserError(f"{source}: {unknown('signal', str(signal), get_args(Signal))}")
    if acts not in get_args(Act):
        raise UserError(
            f'{source}: a monitor declares what it does; write ACTS = "alarm" or ACTS = "stop".'
        )
    from_initial = constants.get("FROM_INITIAL", True)
    if not isinstance(from_initial, bool):
        raise UserError(
            f"{source}: FROM_INITIAL says whether the monitor compares with the initial policy; "
            "write True or False."
        )
    require_functions(found, _FUNCTIONS, "a monitor")
    config = found.resolve(given or {})
    if not isinstance(config.get(LIMIT), float):
        raise UserError(
            f"{source}: Config has no field {LIMIT}; declare the value above which the monitor "
            f"rings, `{LIMIT}: float = param(1.0, help=...)`."
        )
    return MonitorSpec(
        name=found.name,
        source=source,
        config=config,
        reads=reads,
        acts=cast(Act, acts),
        from_initial=from_initial,
    )
