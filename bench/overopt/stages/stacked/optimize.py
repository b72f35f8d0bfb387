"""One cell's run out of a stack: the same artifact as if it had been trained alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from overopt.execution.contract import Progress


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Take the cell of ``seed`` out of the ``stack`` input.

    Raises:
        FloatingPointError: the cell failed in the stack; its neighbors did not.
    """
    cell = inputs["stack"] / "cells" / str(params["seed"])
    if (cell / "error.json").is_file():
        raise FloatingPointError(json.loads((cell / "error.json").read_text(encoding="utf-8")))
    shutil.copytree(cell, out, dirs_exist_ok=True)
