"""No number of a test may depend on the processor: the numerical tests pass with other kernels too.

OpenBLAS and torch choose their kernels by the processor, and sums then differ in their last digits.
Here both take their plainest ones, which no processor of today is given by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .checkout import ROOT

PLAINEST = {"OPENBLAS_CORETYPE": "Prescott", "ATEN_CPU_CAPABILITY": "default"}


@pytest.mark.parametrize(
    "room",
    ["stats", "models", *(pytest.param(room, marks=pytest.mark.slow)
                          for room in ("methods", "tabular_optima"))],
)  # fmt: skip
def test_numbers_hold_with_other_kernels(room: str) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, f"tests/{room}"],
        cwd=ROOT,
        env={**os.environ, **PLAINEST},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert " passed" in done.stdout
