"""Methods and reward-side systems resolved from their files."""

from __future__ import annotations

from collections.abc import Mapping

from overopt.catalog.methods import FUNCTIONS, OPTIONAL, method
from overopt.catalog.proxy_systems import resolve_proxy
from overopt.spec.system import ProxySystemSpec

__all__ = ["FUNCTIONS", "OPTIONAL", "method", "proxy"]


def proxy(name: str, given: Mapping[str, object] | None = None) -> ProxySystemSpec:
    """The reward-side system resolved. Raises UserError."""
    return resolve_proxy(name, given, method)
