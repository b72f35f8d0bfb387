"""Methods and the proxies that they see: what meets in a contest, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from overopt.spec.declare import OF_PROXY, PROXY_BLIND

Compared = Literal["methods", "proxies", "systems"]
"""What meets in a contest: methods against the same proxy, proxies under the same method, or
methods together with the proxies that they see."""


def name_system(method: str, proxy: str) -> str:
    """A method together with the proxy that it sees; ``proxy`` is empty where it sees none."""
    return f"{method} × {proxy}" if proxy else method


def sees_proxy(spec: Mapping[str, Any]) -> bool:
    """`overopt.spec.method.MethodSpec.sees_proxy` of a stored record, which may be an older one."""
    trained = spec
    while isinstance(trained.get("member"), Mapping):
        trained = trained["member"]
    trains = trained.get("member_family") or trained.get("family")
    asks = not set(OF_PROXY).isdisjoint(trained.get("needs", ()))
    return bool(spec.get("values")) or asks or trains not in PROXY_BLIND
