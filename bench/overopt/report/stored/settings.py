"""Whether two runs of a method are of the same settings, as their records tell them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from overopt.report.stored.run import Run
from overopt.spec.run import RunSpec

Config = Mapping[str, Any]


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
    """None where the record is of another version and does not tell."""
    try:
        spec = RunSpec.model_validate_json(json.dumps(run.record.get("spec")))
    except ValidationError:
        return None
    task = spec.task.model_dump(mode="json", exclude={"name", "summary", "kl_grid_nats"})
    task["world"].pop("seed", None)
    return Settings(
        task,
        {one.name: dict(one.config) for one in spec.methods},
        {one.name: dict(one.config) for one in spec.proxies},
    )


def differ(one: Settings, other: Settings, method: str) -> bool:
    """Whether two runs of a method can't be two parts of one: it, the task or a proxy differs.

    A setting that only one of two records names came later, and had its default before.
    """
    proxies = one.proxies.keys() & other.proxies.keys()
    pairs = [(one.methods.get(method, {}), other.methods.get(method, {}))]
    pairs += [(one.proxies[name], other.proxies[name]) for name in proxies]
    return one.task != other.task or any(_apart(*pair) for pair in pairs)


def _apart(one: Config, other: Config) -> bool:
    return any(one[name] != other[name] for name in one.keys() & other.keys())
