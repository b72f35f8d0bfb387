"""Verdicts of all claims of one paper, from what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.report.verdicts.arms import Measured, NotMeasured, OutOfReach, Scope, Undefined
from overopt.report.verdicts.claims import (
    CONTRADICTED,
    NOT_RUN,
    REPRODUCED,
    UNREACHED,
    UNRESOLVED,
    Checked,
    Claim,
    Exact,
    Verdict,
)
from overopt.stats.students_t import EXPLORATORY_BELOW
from overopt.stats.verdicts.decide import Decision, decide
from overopt.stats.verdicts.evidence import Evidence, Part, Side


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
        except Undefined as none:
            found[claim.id] = Verdict(claim, UNRESOLVED, reason=str(none))
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


def deciding(evidence: Evidence, side: Side | None) -> Part:
    """The test that a verdict hangs on: what contradicts, else the one that is shown least."""
    if side == "contradicted":
        return min(evidence.parts, key=lambda part: part.p_against)
    if side == "partly reproduced":
        return min(evidence.parts, key=lambda part: part.p_for)
    return max(evidence.parts, key=lambda part: part.p_for)


def _decided(
    claim: Claim, evidence: Evidence, scope: Scope, decision: Decision, n_claims: int
) -> Verdict:
    head = deciding(evidence, decision.side).estimate
    bounds = head.bounds
    notes = list(dict.fromkeys(part.note for part in evidence.parts if part.note))
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
        head.n_seeds,
        scope.worlds,
        head.n_seeds < EXPLORATORY_BELOW,
        "; ".join(notes),
        evidence,
    )
