"""Claims as a paper's file declares them, and the verdicts that they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from overopt.report.verdicts.arms import Arm, Scope
from overopt.stats.verdicts.evidence import Evidence


class Rule(Protocol):
    """Turns what was measured into evidence."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All arms that it needs."""

    @property
    def words(self) -> str:
        """The rule with its margins, in words."""

    def weigh(self, scope: Scope) -> Evidence:
        """The evidence; raises as statistics do."""


class Checked(NamedTuple):
    """What an exact check came to.

    Attributes:
        holds: whether it does.
        deviation: largest departure from what is claimed, in the unit of `what`.
        tolerance: departures up to this are rounding.
        words: what was computed.
    """

    holds: bool
    deviation: float
    tolerance: float
    words: str


@dataclass(frozen=True)
class Exact:
    """EXACT: an identity or inequality that is computed, not sampled."""

    check: Callable[[], Checked]
    words: str

    @property
    def arms(self) -> tuple[Arm, ...]:
        return ()


@dataclass(frozen=True)
class Claim:
    """One relation that a paper reports, and how it is decided; fixed before anything runs.

    Attributes:
        id: name of the claim.
        relation: what is claimed, in our words.
        reported: what the paper reports.
        where: section, figure or table; says what could not be verified.
        rule: what decides; None only where `needs` says what it waits for.
        rule_words: the rule in words, where there is no `rule` that could say it.
        needs: what the program cannot do yet; empty where the claim can be judged.
        figure: name of the figure that shows it; may be empty.
    """

    id: str
    relation: str
    reported: str
    where: str
    rule: Rule | Exact | None
    rule_words: str = ""
    needs: str = ""
    figure: str = ""

    def __post_init__(self) -> None:
        if self.rule is None and not (self.needs and self.rule_words):
            raise ValueError(f"{self.id}: without a rule it must say its rule in words, and needs")

    @property
    def words(self) -> str:
        """The rule in words."""
        return self.rule_words or (self.rule.words if self.rule is not None else "")

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it is judged by; none where it cannot be judged yet."""
        return () if self.rule is None or self.needs else self.rule.arms


REPRODUCED, CONTRADICTED, PARTLY = "reproduced", "contradicted", "partly reproduced"
UNRESOLVED, UNREACHED = "not resolved at this scale", "out of reach"
NOT_RUN = "not run here"
VERDICTS = (REPRODUCED, PARTLY, CONTRADICTED, UNRESOLVED, UNREACHED, NOT_RUN)
"""Everything that a claim may come to."""


@dataclass(frozen=True)
class Verdict:
    """One claim, judged.

    Attributes:
        claim: the claim.
        verdict: one of `VERDICTS`.
        effect: of the test that the verdict hangs on, positive where the claim says so; None: none.
        low: lower bound of the effect's 95 % interval.
        high: upper bound.
        p_holm: corrected over the claims of the paper.
        n_seeds: seeds in the world that has the fewest; 0 where nothing was measured.
        worlds: seeds of the worlds.
        exploratory: whether fewer than 5 seeds stand behind it.
        reason: why there is no verdict, or what a reader must know of it; may be empty.
        evidence: all tests that it consists of.
        checked: of an exact claim, what was computed.
    """

    claim: Claim
    verdict: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_holm: float | None = None
    n_seeds: int = 0
    worlds: tuple[int, ...] = ()
    exploratory: bool = False
    reason: str = ""
    evidence: Evidence | None = None
    checked: Checked | None = None
