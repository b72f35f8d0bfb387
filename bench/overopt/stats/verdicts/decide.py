"""Verdicts of all claims of a paper together, with Holm's correction over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overopt.stats.intervals import adjust_holm
from overopt.stats.verdicts.evidence import ALPHA, Evidence, Side


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
    """Verdicts such that the chance of any false one among the claims is at most alpha.

    Claims step down by their smallest p value (Holm). One that passes is given the verdict that
    its own level allows: an ordering that is reproduced as a whole is so at that level; else it is
    contradicted, or partly reproduced.

    Two opposite verdicts of one claim are two one-sided tests of half the level each, so that a
    claim spends alpha once.

    Args:
        claims: evidence of each; empty gives nothing.
        alpha: chance of any false verdict.
    """
    if not claims:
        return []
    best_C = np.array([min(claim.p_of.values()) for claim in claims])
    holm_C, order_C = adjust_holm(best_C), np.argsort(best_C, kind="stable")
    found = []
    for number, claim in enumerate(claims):
        rank = int(np.flatnonzero(order_C == number)[0])
        level = alpha / (len(claims) - rank)
        side = _side(claim, level) if holm_C[number] <= alpha else None
        found.append(Decision(side, float(holm_C[number]), _side(claim, alpha)))
    return found


def _side(claim: Evidence, level: float) -> Side | None:
    order: tuple[Side, ...] = ("reproduced", "contradicted", "partly reproduced")
    shown = [side for side in order if claim.p_of.get(side, 1.0) <= level]
    if {"reproduced", "contradicted"} <= set(shown):
        return None  # no rule lets both stand; said nothing rather than chosen
    return shown[0] if shown else None
