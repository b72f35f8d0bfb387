"""Whether two runs of a method are of the same settings, as their records tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overopt.report.stored.run import Run

Config = Mapping[str, Any]

_WHICH_CELLS = ("name", "summary", "kl_grid_nats")
"""What a task tells beside settings: what it is called, and which cells there are."""


@dataclass(frozen=True)
class Settings:
    """What all cells of a run have in common, beside the axes that its points name.

    Attributes:
        task: without its name and what only says which cells there are.
        methods, proxies: settings of each, by name.
        rates: learning rate of each method over the task's, by name.
    """

    task: Config
    methods: Mapping[str, Config]
    proxies: Mapping[str, Config]
    rates: Mapping[str, float]


def settings_of(run: Run) -> Settings | None:
    """None where the record does not tell."""
    spec = run.record.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("task"), Mapping):
        return None
    task = {name: value for name, value in spec["task"].items() if name not in _WHICH_CELLS}
    if isinstance(task.get("world"), Mapping):
        task["world"] = {name: one for name, one in task["world"].items() if name != "seed"}
    methods = [one for one in spec.get("methods") or () if isinstance(one, Mapping)]
    rates = {str(one.get("name")): float(one.get("rate_factor", 1.0)) for one in methods}
    return Settings(task, _by_name(methods), _by_name(spec.get("proxies")), rates)


def _by_name(listed: Any) -> dict[str, Config]:
    told = [one for one in listed or () if isinstance(one, Mapping)]
    return {str(one.get("name")): one.get("config") or {} for one in told}


def differ(one: Settings, other: Settings, method: str) -> bool:
    """Whether two runs of a method can't be two parts of one: it, the task or a proxy differs.

    A setting that only one of two records names came later, and had its default before.
    """
    shared = one.proxies.keys() & other.proxies
    return (
        apart(one.task, other.task)
        or apart(one.methods.get(method, {}), other.methods.get(method, {}))
        or any(differ_in_proxy(one, other, name) for name in shared)
    )


def differ_in_method(one: Settings, other: Settings, method: str) -> bool:
    """Whether a method has other settings, or another rate, in two runs."""
    rates = one.rates.get(method, 1.0), other.rates.get(method, 1.0)
    return rates[0] != rates[1] or apart(one.methods.get(method, {}), other.methods.get(method, {}))


def differ_in_proxy(one: Settings, other: Settings, proxy: str) -> bool:
    """Whether a proxy system has other settings in two runs."""
    return apart(one.proxies.get(proxy, {}), other.proxies.get(proxy, {}))


def apart(one: Any, other: Any) -> bool:
    """Whether a setting that two records name differs between them."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return any(apart(one[name], other[name]) for name in one.keys() & other.keys())
    return bool(one != other)
