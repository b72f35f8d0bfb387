"""What all specifications have in common: data that is checked once and never changes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """Common behavior of every specification: frozen, no unknown keys, finite numbers."""

    # Strict: a quoted number or a boolean is not a number.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    def to_json(self) -> dict[str, Any]:
        """The specification as plain JSON values, in a fixed order."""
        return self.model_dump(mode="json")


class SourcedSpec(Spec):
    """What comes as a Python file with settings: its name, its place, every field of ``Config``.

    source: dotted name of a module, or path of a user's own file.
    """

    name: str
    source: str
    config: dict[str, bool | int | float | str]


def absent(value: object) -> bool:
    """Whether a field that only some tasks have stands in no JSON."""
    return value is None
