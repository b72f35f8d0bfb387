"""What a check found: one line for each thing that was looked at, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from overopt.errors import one_line

FORMAT = 1
Outcome = Literal["pass", "fail", "note"]
"""note: it stands in nobody's way, and is worth knowing."""

LONGEST_WORDS = 600


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    tier: T0, T1 and so on. check: its name, the same for every submission. where: run and cell;
    empty for the whole. words: what was found. value, limit: the number that decided, and how large
    it may be; None where no number did.
    """

    tier: str
    check: str
    outcome: Outcome
    words: str
    where: str = ""
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class TierCost:
    """Wall time and the process's largest memory by the end of a tier."""

    tier: str
    wall_s: float
    peak_bytes: int


@dataclass(frozen=True)
class Asked:
    """What is to be checked, and with what.

    against: folders of other submissions, which it must not be copied from. store, workers: for
    what has to be built.
    """

    folder: Path
    against: Sequence[Path] = ()
    store: Path | None = None
    workers: int = 1
    quiet: bool = True


@dataclass
class Verdict:
    """All findings on one submission."""

    folder: Path
    about: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)
    costs: list[TierCost] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(one.outcome != "fail" for one in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "format": FORMAT,
            "passed": self.passed,
            **self.about,
            "findings": [asdict(one) for one in self.findings],
            "costs": [asdict(one) for one in self.costs],
        }


def found(
    tier: str,
    check: str,
    good: bool,
    words: str,
    where: str = "",
    value: float | None = None,
    limit: float | None = None,
) -> Finding:
    """A finding that passes or fails; words of a submission stay one short line."""
    shown = one_line(words, LONGEST_WORDS)
    return Finding(tier, check, "pass" if good else "fail", shown, where, value, limit)
