"""Verdicts of all claims of one paper, from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from overopt.report.verdicts.arms import Measured, NotMeasured, OutOfReach, Scope
from overopt.report.verdicts.claims import Checked, Claim, Exact
from overopt.stats.students_t import EXPLORATORY_BELOW
from overopt.stats.verdicts.decide import Decision, decide
from overopt.stats.verdicts.rules import Evidence

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
        effect: what its headline test estimates, positive where the claim says so; None: none.
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


def judge(claims: Sequence[Claim], measured: Measured) -> list[Verdict]:
    """Every claim's verdict, in the order of the claims.

    Holm's correction is over the claims that were tested. Exact ones are computed, and no chance is
    spent on them.
    """
    found: dict[str, Verdict] = {}
    tested: list[tuple[Claim, Evidence, Scope]] = []
    for claim in claims:
        if claim.needs or claim.rule is None:
            found[claim.id] = Verdict(claim, NOT_RUN, reason=f"needs {claim.needs}")
            continue
        if isinstance(claim.rule, Exact):
            found[claim.id] = _exact(claim, claim.rule.check())
            continue
        try:
            scope = Scope(measured, claim.rule.arms)
            tested.append((claim, claim.rule.weigh(scope), scope))
        except NotMeasured as missing:
            found[claim.id] = Verdict(claim, NOT_RUN, reason=str(missing))
        except OutOfReach as short:
            found[claim.id] = Verdict(claim, UNREACHED, reason=str(short))
    decisions = decide([evidence for _, evidence, _ in tested])
    for (claim, evidence, scope), decision in zip(tested, decisions, strict=True):
        found[claim.id] = _decided(claim, evidence, scope, decision, len(tested))
    return [found[claim.id] for claim in claims]


def _exact(claim: Claim, checked: Checked) -> Verdict:
    verdict = REPRODUCED if checked.holds else CONTRADICTED
    words = f"{checked.words} (deviation {checked.deviation:.2g}, tolerance {checked.tolerance:g})"
    return Verdict(claim, verdict, effect=checked.deviation, reason=words, checked=checked)


def _decided(
    claim: Claim, evidence: Evidence, scope: Scope, decision: Decision, n_claims: int
) -> Verdict:
    head = evidence.parts[0].estimate
    bounds = head.bounds
    notes = [part.note for part in evidence.parts if part.note]
    if decision.side is None and decision.before_holm is not None:
        notes.append(
            f"alone it would be {decision.before_holm}, corrected for {n_claims} claims it is not"
        )
    if bounds is None:
        notes.append("one seed and no prompts: no interval")
    return Verdict(
        claim,
        decision.side or UNRESOLVED,
        head.mean,
        None if bounds is None else bounds[0],
        None if bounds is None else bounds[1],
        decision.p_holm,
        scope.n_seeds,
        scope.worlds,
        scope.n_seeds < EXPLORATORY_BELOW,
        "; ".join(notes),
        evidence,
    )
