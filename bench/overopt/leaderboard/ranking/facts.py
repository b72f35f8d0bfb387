"""What is known of an entry besides its scores: where it may rank, and on whose word."""

from __future__ import annotations

from typing import Literal, NamedTuple

Status = Literal["claimed", "verified", "contested"]
"""Verified: run again on worlds drawn after it arrived. Contested: a re-run did not agree, or
somebody has challenged it. Everything else is what its authors say."""

Track = Literal["offline", "online", "inference time", "reward side", "records"]


class Facts(NamedTuple):
    """What the records of an entry's runs say.

    Attributes:
        rates: ``tuned`` where every learning rate was chosen by the search that is the same for
            all, ``task's own`` where one was not, empty where nothing is trained by the method.
        uses_gold: what of gold it was told beyond labels: ``none``, ``steps``, ``selection`` or
            ``training``.
        standard: whether all of it ran at the task's own settings.
        finished_utc: when its first run ended; empty where that is not known.
        status: on whose word it stands.
    """

    rates: str
    uses_gold: str
    standard: bool
    finished_utc: str
    status: Status

    def withheld(self, track: Track) -> str:
        """Why it has no rank in a track, in words; empty where it may have one.

        On the reward side all proxies stand under one method at one learning rate, so that none
        had a better chance than another.
        """
        if self.uses_gold != "none":
            return f"no rank: uses gold ({self.uses_gold})"
        if self.rates == "task's own" and track != "reward side":
            return "no rank: learning rate not tuned"
        return ""
