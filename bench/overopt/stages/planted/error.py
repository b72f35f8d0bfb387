"""A trained proxy with an error planted in its scores."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from overopt.artifacts.proxy import ERROR_FILE
from overopt.artifacts.tables import write_json
from overopt.execution.artifact import MANIFEST, RECEIPT
from overopt.execution.contract import Progress
from overopt.spec.score_error import ScoreErrorSpec


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Copy the proxy, and write beside it what is added to its scores.

    All members of a system get the same error, so that no ensemble averages it away.

    params: ``error`` (ScoreErrorSpec), ``seed``.
    """
    error = ScoreErrorSpec.model_validate(params["error"])
    records = shutil.ignore_patterns(MANIFEST, RECEIPT)
    shutil.copytree(inputs["proxy"], out, dirs_exist_ok=True, ignore=records)
    write_json(out / ERROR_FILE, {"error": error.to_json(), "seed": int(params["seed"])})
