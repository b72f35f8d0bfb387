"""What every stage looks like: ``run(params, inputs, out, progress)`` in a module named after it.

params: JSON values, part of the artifact's key. inputs: role -> folder of a finished artifact; a
user's own file that the stage loads comes under its name, such as ``mine.py`` (``own_file``), so
that where it lies is no part of the key. out: an empty folder that becomes the artifact once
``run`` returns. A stage whose ``run`` also takes ``kept`` gets a folder of its own that outlives a
killed process, and is removed once its artifact is there. A stage is deterministic: equal params
and inputs give equal bytes on the same machine.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and a few words."""


def silent(fraction: float, text: str) -> None:
    """A progress callback that tells nobody."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a sub-task that covers ``start`` to ``end`` of the whole."""
    return lambda fraction, text: progress(start + (end - start) * fraction, text)
