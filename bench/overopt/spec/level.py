"""One level of an axis: a setting of the task, of a method or of a proxy system, and its value."""

from __future__ import annotations

from pydantic import Field

from overopt.spec.frozen import Spec

SHORT = {
    "policy-width": "policy.architecture.width",
    "epochs": "proxy.training.epochs",
    "rounds": "rounds.count",
    "error": "proxy.error.distribution",
    "error-dose": "proxy.error.dose",
    "correlation": "proxy.correlation",
}
"""Axes that people name by one word, and the settings of the task that they are."""


class LevelSpec(Spec):
    """A setting as ``--set`` names it, at one of the values that an axis goes through."""

    key: str = Field(min_length=1)
    value: bool | int | float | str

    @property
    def label(self) -> str:
        """The setting and its value, as people read them."""
        value = f"{self.value:g}" if isinstance(self.value, float) else str(self.value)
        return f"{self.key}={value}"
