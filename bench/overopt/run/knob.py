"""A method with its knob at another value."""

from __future__ import annotations

from overopt.run.given.once import once_per_spec
from overopt.spec.method import MethodSpec


@once_per_spec
def with_knob(method: MethodSpec, value: float | None) -> MethodSpec:
    """The method with its knob at another value; None leaves it as configured."""
    if value is None:
        return method
    config = {**method.config, method.knob.name: setting(method, value)}
    return method.model_copy(update={"config": config})


def setting(method: MethodSpec, value: float) -> float:
    """A value of the knob as the method takes it: rounded where its setting is a whole number."""
    return round(value) if isinstance(method.config[method.knob.name], int) else value


@once_per_spec
def at_tasks_rate(method: MethodSpec) -> MethodSpec:
    """The method without its own factor on the learning rate, which stands in the settings."""
    return method if method.rate_factor == 1.0 else method.model_copy(update={"rate_factor": 1.0})
