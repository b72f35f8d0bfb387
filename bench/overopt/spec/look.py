"""What is looked at beside policies only where it is asked for."""

from __future__ import annotations

from typing import Literal, get_args

Look = Literal["separation"]
"""It costs models or passes of its own. separation: how far samples lie off the initial policy's in
InfoRM's latents."""
LOOKS: tuple[Look, ...] = get_args(Look)
