"""Writes the mean and SD that bring a proxy's scores to the scale of the initial policy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.tables import write_json


def write_normalization(out: Path, score_N: npt.NDArray[np.float64]) -> None:
    """Write ``normalization.json`` from raw scores of responses of the initial policy.

    Raises:
        ValueError: they are all the same.
    """
    sd = float(score_N.std(ddof=1))
    if not sd > 0:
        raise ValueError("the proxy gives every response of the initial policy the same score")
    write_json(out / "normalization.json", {"mean": float(score_N.mean()), "sd": sd})
