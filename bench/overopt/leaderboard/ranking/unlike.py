"""Which entries of a board ran at other settings than the rest of it.

A contest's entries share names: of the task, of the proxy that they see, on the reward side of the
method. Here they share what these names stood for when they ran.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from overopt.leaderboard.ranking.facts import Track
from overopt.report.comparison.contest import Contest
from overopt.report.stored.run import Run
from overopt.report.stored.settings import (
    Settings,
    apart,
    differ_in_method,
    differ_in_proxy,
    settings_of,
)

OTHER_TASK = "no rank: other settings of the task than the rest of the board"
OTHER_PROXY = "no rank: other settings of the proxy than the rest of the board"
OTHER_METHOD = "no rank: another rate or other settings of the method than the rest of the board"


def unlike(
    contest: Contest, track: Track, runs_of: Mapping[str, Sequence[Run]]
) -> Mapping[str, str]:
    """Why entries stand apart, by name: of the largest part that agrees, none is here.

    Args:
        contest: of the board.
        track: of the board.
        runs_of: by entry, the runs that it is read from.
    """
    told = {
        name: [one for run in runs if (one := settings_of(run)) is not None]
        for name, runs in runs_of.items()
    }
    shared = contest.proxy.split(",")[0]
    differs: list[tuple[str, Callable[[Settings, Settings], bool]]] = [
        (OTHER_TASK, lambda one, other: apart(one.task, other.task))
    ]
    if track == "reward side":
        differs.append((OTHER_METHOD, lambda one, other: differ_in_method(one, other, shared)))
    elif shared:
        differs.append((OTHER_PROXY, lambda one, other: differ_in_proxy(one, other, shared)))
    found: dict[str, str] = {}
    for reason, differ in differs:
        for name in _outside(told, differ):
            found.setdefault(name, reason)
    return found


def _outside(
    told: Mapping[str, Sequence[Settings]], differ: Callable[[Settings, Settings], bool]
) -> list[str]:
    """Entries outside of the largest part whose runs all agree; the first by name of equals."""
    parts: list[list[str]] = []
    for name in sorted(told):
        for part in parts:
            members = [one for member in part for one in told[member]]
            if not any(differ(one, other) for one in told[name] for other in members):
                part.append(name)
                break
        else:
            parts.append([name])
    largest = max(parts, key=len, default=[])
    return [name for name in sorted(told) if name not in largest]
