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
    """

    task: Config
    methods: Mapping[str, Config]
    proxies: Mapping[str, Config]


def settings_of(run: Run) -> Settings | None:
    """None where the record does not tell."""
    spec = run.record.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("task"), Mapping):
        return None
    task = {name: value for name, value in spec["task"].items() if name not in _WHICH_CELLS}
    if isinstance(task.get("world"), Mapping):
        task["world"] = {name: one for name, one in task["world"].items() if name != "seed"}
    return Settings(task, _by_name(spec.get("methods")), _by_name(spec.get("proxies")))


def _by_name(listed: Any) -> dict[str, Config]:
    told = [one for one in listed or () if isinstance(one, Mapping)]
    return {str(one.get("name")): one.get("config") or {} for one in told}


def differ(one: Settings, other: Settings, method: str) -> bool:
    """Whether two runs of a method can't be two parts of one: it, the task or a proxy differs.

    A setting that only one of two records names came later, and had its default before.
    """
    pairs = [(one.task, other.task)]
    pairs.append((one.methods.get(method, {}), other.methods.get(method, {})))
    pairs += [
        (one.proxies[name], other.proxies[name]) for name in one.proxies.keys() & other.proxies
    ]
    return any(_apart(*pair) for pair in pairs)


def _apart(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return any(_apart(one[name], other[name]) for name in one.keys() & other.keys())
    return bool(one != other)
