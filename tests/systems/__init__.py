"""Reward-side systems that the tests bring along, each as a file of one's own."""

from __future__ import annotations

from pathlib import Path


def path(name: str) -> Path:
    """The file of one of them."""
    return Path(__file__).with_name(f"{name}.py")
