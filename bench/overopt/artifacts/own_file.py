"""Where a method or proxy system of the user's own lies: a stage is told beside its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from overopt.spec.frozen import SourcedSpec

Declared = TypeVar("Declared", bound=SourcedSpec)


def locate_own(spec: Declared, inputs: Mapping[str, Path]) -> Declared:
    """The specification with the place of the user's own file; a shipped one stays as it is.

    Args:
        spec: its ``source`` is a dotted module name, or the bare name of a file, ``mine.py``.
        inputs: the stage's inputs; the file ``mine.py`` comes as the input ``mine.py``.
    """
    own = inputs.get(spec.source)
    return spec if own is None else spec.model_copy(update={"source": str(own)})
