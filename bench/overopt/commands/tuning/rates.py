"""The learning rates that were chosen: a JSON file, written by ``bench tune``, read by ``--rates``.

A rate is told as a factor on the task's own, so that 1 is what an untuned run does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from overopt.errors import UserError
from overopt.spec.explanations import explain
from overopt.spec.frozen import Spec
from overopt.spec.method import MethodSpec

MOST_BYTES = 4_000_000


class Tried(Spec):
    """One rate of one method.

    budgets: KL budgets that all seeds reached. mean: of the proxy, or of gold, over the budgets
        that were reached at every rate, and over seeds, SDs; None where there are none, or where
        the runs failed.
    """

    factor: float = Field(gt=0)
    budgets: int = Field(ge=0)
    mean: float | None


class Choice(Spec):
    """What was chosen for one method.

    by: what the rates were judged by, ``gold`` only for methods that may see it. proxy: what was
        learned against; results against others have the rate that was chosen against this one.
    """

    factor: float = Field(gt=0)
    by: Literal["proxy", "gold"]
    proxy: str = "single"
    tried: tuple[Tried, ...] = Field(strict=False)

    @model_validator(mode="after")
    def _was_tried(self) -> Self:
        if self.factor not in [one.factor for one in self.tried]:
            raise ValueError(f"factor {self.factor:g} is none of those that were tried")
        return self


class Rates(Spec):
    """Chosen rates of one task, and where they were tried: a world and seeds of no result."""

    format: Literal[1] = 1
    task: str
    world: int
    seeds: tuple[int, ...] = Field(strict=False)
    factors: tuple[float, ...] = Field(strict=False)
    methods: dict[str, Choice]

    def joined(self, newer: Self) -> Self:
        """With the choices of another run of the same search, which win.

        Raises:
            ValueError: it was another search.
        """
        same = (self.task, self.world, self.seeds, self.factors)
        if same != (newer.task, newer.world, newer.seeds, newer.factors):
            raise ValueError("it is of another task, world, seeds or factors")
        both = {**self.methods, **newer.methods}
        return newer.model_copy(update={"methods": dict(sorted(both.items()))})


def read_rates(path: Path, task: str | None = None) -> Rates:
    """The file, checked.

    Raises:
        UserError: it cannot be read, is damaged, or is of another task.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"--rates {path}: it is larger than {MOST_BYTES:,} bytes; give another")
        rates = Rates.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"--rates {path}: it cannot be read ({error.strerror}); make it with bench tune."
        ) from error
    except ValidationError as error:
        raise UserError(f"--rates {explain(error, str(path), Rates)}") from error
    if task is not None and rates.task != task:
        raise UserError(
            f"--rates {path}: its rates are those of {rates.task}, not of {task}; give "
            f"bench tune --task {task} first."
        )
    return rates


def with_rates(methods: Sequence[MethodSpec], rates: Rates, path: Path) -> tuple[MethodSpec, ...]:
    """The methods at their chosen rates; those that train nothing are left as they are.

    One that merges another's run takes that one's rate, so that its run is the other's own.

    Raises:
        UserError: the file has no rate of a method that trains.
    """
    return tuple(
        _at_rate(one, one.member or one, rates.methods, path)
        if trains(one) or one.member is not None
        else one
        for one in methods
    )


def trains(method: MethodSpec) -> bool:
    """Whether a method has a learning rate of its own: not so one that merges another's run."""
    return method.family != "selection" and method.member is None


def _at_rate(
    method: MethodSpec, trained: MethodSpec, chosen: Mapping[str, Choice], path: Path
) -> MethodSpec:
    """A method at the rate of what it trains: itself, or the method whose run it merges."""
    if trained.name not in chosen:
        whose = "" if trained is method else f", whose run {method.name} merges"
        raise UserError(
            f"--rates {path}: it has no rate of {trained.name}{whose}; give bench tune --method "
            f"{trained.name}, or leave --rates out."
        )
    return method.model_copy(update={"rate_factor": chosen[trained.name].factor})


def write_rates(path: Path, rates: Rates) -> None:
    """Write the file in one step."""
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    text = json.dumps(rates.to_json(), indent=1) + "\n"
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
