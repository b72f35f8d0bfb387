"""The way to a Ray cluster: its settings, its address, its token."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from overopt.errors import UserError, one_line, words_of
from overopt.execution.worker import OFFLINE, SINGLE_THREAD

SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
}
"""Only who has the cluster's token may use it, Ray reports nothing to its makers, and stages rank
with other processes, not at nice 15; as long as the environment does not say otherwise."""
_OBJECT_STORE_BYTES = 80_000_000
"""About the least that Ray allows; nothing is put there."""
_KNOCK_S = 10.0


def connected(address: str | None, actors: int | None) -> Any:
    """The module of Ray, connected to a cluster.

    Raises:
        UserError: it is not installed, or no cluster answers there.
    """
    if address is not None:
        _check_address(address)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise UserError(
            f"--executor ray needs Ray, which is not installed ({error}); install overopt[ray], "
            "or leave --executor out."
        ) from error
    environment = {
        **SINGLE_THREAD,
        **OFFLINE,
        "PYTHONPATH": os.pathsep.join(place for place in sys.path if place),
    }
    settings: dict[str, Any] = {
        "runtime_env": {"env_vars": environment},
        "log_to_driver": False,
        "logging_level": "ERROR",
    }
    if address is None:
        settings |= {
            "include_dashboard": False,
            "num_cpus": actors,
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
    try:
        ray.init(address or "local", **settings)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = f"No Ray cluster answers at {address}" if address else "Ray does not start here"
        raise UserError(
            f"{where}: {one_line(words_of(error))[:500]} Check the address, and that "
            "RAY_AUTH_TOKEN or ~/.ray/auth_token holds the cluster's token."
        ) from error
    return ray


def _check_address(address: str) -> None:
    """Knock at a cluster's door, since Ray itself would knock for many minutes.

    Raises:
        UserError: nobody opens, or it is no address.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise UserError(f"--address {address}: write it as HOST:PORT, such as head:6379, or auto.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"No Ray cluster answers at {address}: {one_line(words_of(error))}. Check the address, "
            "and that the head was started there with ray start --head."
        ) from error
