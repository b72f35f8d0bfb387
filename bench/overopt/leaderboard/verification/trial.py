"""What a trial of an entry is given beside the submission."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from overopt.leaderboard.submission.verdict import Asked
from overopt.leaderboard.verification.same_source import DEALS

ALPHA = 0.01
"""Chance that an honest entry fails a tier by accident, over everything that the tier tests."""


@dataclass(frozen=True)
class Trial(Asked):
    """A trial.

    secret: seed of hidden prompts and fresh samples, unknown to whoever submitted.
    worlds, seeds: that the method is run in anew; no worlds where no round draws them.
    runs: where the new runs' folders go. upstream: the method's file, where the submission only
    names a commit.
    deals: how often samples are dealt anew (``same_source``).
    """

    secret: int = field(default_factory=lambda: secrets.randbits(63))
    worlds: tuple[int, ...] = ()
    seeds: int = 0
    runs: Path | None = None
    upstream: Path | None = None
    deals: int = DEALS
