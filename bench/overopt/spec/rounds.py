"""Rounds of relabeling: after each, gold labels pairs of the policy that came out of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from overopt.spec.frozen import Spec

MOST_ROUNDS = 50


class RoundsSpec(Spec):
    """How many times proxies are trained and policies optimized against them.

    Round 1 is a run as any other. Each later one labels as many pairs of the last policy of the
    round before as the first had of the initial policy, trains proxies anew, and optimizes.

    count: rounds; the results are those of the last one.
    data: proxies learn from the pairs of ``all`` rounds so far, or of the ``last`` one.
    start: a round's policy starts from the ``initial`` policy, or from the ``last`` one.
    steps: gradient steps of every round but the last, whose policy runs along KL; None: as many
        as the task gives to the method.
    """

    count: int = Field(default=1, ge=1, le=MOST_ROUNDS)
    data: Literal["all", "last"] = "all"
    start: Literal["initial", "last"] = "initial"
    steps: int | None = Field(default=None, ge=1)
