"""Where a model is computed."""

from __future__ import annotations

ACCELERATED_PARAMETERS = 20_000_000
"""Parameters from which a model is put on an accelerator, where there is one; smaller ones are
faster on the CPU, several processes at a time."""
