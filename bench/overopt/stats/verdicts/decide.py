"""Verdicts of all claims of a paper together, with Holm's correction over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overopt.stats.intervals import adjust_holm
from overopt.stats.verdicts.evidence import ALPHA, Evidence, Side

WHOLE: tuple[Side, ...] = ("reproduced", "contradicted")
PARTS: tuple[Side, ...] = ("partly reproduced",)


class Decision(NamedTuple):
    """What a claim's evidence comes to among all claims of its paper.

    Attributes:
        side: the verdict; None: not resolved.
        p_holm: smallest p value of its verdicts, corrected over the claims.
        before_holm: what would be said if the claim stood alone.
    """

    side: Side | None
    p_holm: float
    before_holm: Side | None


def decide(claims: Sequence[Evidence], alpha: float = ALPHA) -> list[Decision]:
    """Verdicts such that the chance of any false one of a kind among the claims is at most alpha.

    Claims step down by their smallest p value (Holm). One that passes is given the verdict that
    its own level allows: it is reproduced or contradicted. Orderings step down once more by their
    parts, among themselves: one that is neither may be partly reproduced. In the same steps a part
    that is true would lend its level to the whole.

    Two opposite verdicts of one claim are two one-sided tests of half the level each, so that a
    claim spends alpha once.

    Args:
        claims: evidence of each; empty gives nothing.
        alpha: chance of any false "reproduced" or "contradicted", and of any false part.
    """
    whole = _step_down(claims, WHOLE, alpha)
    parts = _step_down(claims, PARTS, alpha)
    found = []
    for claim, one, other in zip(claims, whole, parts, strict=True):
        chosen = other if one.side is None and other.side is not None else one
        alone = _side(claim, WHOLE, alpha) or _side(claim, PARTS, alpha)
        found.append(Decision(chosen.side, chosen.p_holm, alone))
    return found


class _Step(NamedTuple):
    side: Side | None
    p_holm: float


def _step_down(claims: Sequence[Evidence], sides: Sequence[Side], alpha: float) -> list[_Step]:
    """Holm's steps over the claims that have one of these verdicts."""
    having = [c for c, claim in enumerate(claims) if any(side in claim.p_of for side in sides)]
    found = [_Step(None, 1.0)] * len(claims)
    if not having:
        return found
    best_C = np.array([min(claims[c].p_of.get(side, 1.0) for side in sides) for c in having])
    holm_C, order_C = adjust_holm(best_C), np.argsort(best_C, kind="stable")
    for rank, place in enumerate(order_C):
        level, claim = alpha / (len(having) - rank), claims[having[place]]
        side = _side(claim, sides, level) if holm_C[place] <= alpha else None
        found[having[place]] = _Step(side, float(holm_C[place]))
    return found


def _side(claim: Evidence, sides: Sequence[Side], level: float) -> Side | None:
    shown = [side for side in sides if claim.p_of.get(side, 1.0) <= level]
    # no rule lets two opposite ones stand; said nothing rather than chosen
    return shown[0] if len(shown) == 1 else None
