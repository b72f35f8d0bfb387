"""Reward-side systems as other parts of a graph see them, each made once."""

from __future__ import annotations

from overopt.run.given.once import once_per_spec
from overopt.spec.system import ProxySystemSpec


@once_per_spec
def plain_of(system: ProxySystemSpec) -> ProxySystemSpec:
    """The same file over members that are trained as those of a system without own names."""
    return system.plain


@once_per_spec
def attacked_of(system: ProxySystemSpec) -> ProxySystemSpec:
    """The same file as its adversary sees it."""
    return system.attacked
