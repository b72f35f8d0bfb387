"""Rounds of relabeling: after each, gold labels pairs of the policy that came out of it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec, absent

MOST_ROUNDS = 50


class RoundsSpec(Spec):
    """How many times proxies are trained and policies optimized against them.

    Round 1 is a run as any other. Each later one labels as many pairs of the last policy of the
    round before as the first had of the initial policy, trains proxies anew, and optimizes.

    count: rounds; the results are those of the last one.
    data: proxies learn from the pairs of ``all`` rounds so far, or of the ``last`` one.
    start: a round's policy starts from the ``initial`` policy, from the ``last`` one, or, ``liti``,
        from weights that are interpolated between the two.
    share: of the last policy's weights in that interpolation, 0 to 1.
    prompts: pairs of a round are on prompts drawn ``anew``, or on those of the first, ``repeated``.
    proxy: a round's proxy is that of its labels, the ``last``; or with those of all rounds before
        it the ``mean`` of their scores, or one of the ``average`` of their weights.
    steps: gradient steps of every round but the last, whose policy runs along KL; None: as many
        as the task gives to the method.
    """

    count: int = Field(default=1, ge=1, le=MOST_ROUNDS)
    data: Literal["all", "last"] = "all"
    start: Literal["initial", "last", "liti"] = "initial"
    share: float | None = Field(default=None, ge=0.0, le=1.0, exclude_if=absent)
    prompts: Literal["anew", "repeated"] = Field(
        default="anew", exclude_if=lambda prompts: prompts == "anew"
    )
    proxy: Literal["last", "mean", "average"] = Field(
        default="last", exclude_if=lambda proxy: proxy == "last"
    )
    steps: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _liti_has_a_share(self) -> Self:
        if (self.start == "liti") != (self.share is not None):
            raise ValueError(
                "start = liti interpolates weights and needs a share, such as 0.5; other starts "
                "take none"
            )
        return self
