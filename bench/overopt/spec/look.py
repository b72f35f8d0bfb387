"""What is looked at beside policies only where it is asked for."""

from __future__ import annotations

from typing import Literal, get_args

Look = Literal["separation", "scores", "forward", "calibration"]
"""separation: how far samples lie off the initial policy's in InfoRM's latents. scores: how far the
distributions of proxy and gold are apart, and what members that learn one attribute each score.
forward: KL(initial || policy). calibration: whether policies are as sure of the better of two
responses as they are right."""
LOOKS: tuple[Look, ...] = get_args(Look)
