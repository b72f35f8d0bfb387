"""What comes as a Python file with settings: methods and reward-side systems."""

from __future__ import annotations

from overopt.spec.frozen import Spec


class SourcedSpec(Spec):
    """A file resolved: its name, where it lies, and the value of every field of its ``Config``.

    source: dotted name of a module, or path of a user's own file.
    """

    name: str
    source: str
    config: dict[str, bool | int | float | str]
