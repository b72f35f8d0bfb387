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
    until_kl_nats: instead of steps, the KL up to which rounds are spread evenly in its root: round
        i of k ends with the policy nearest to (i / k)^2 of it, or with its last step before that.
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
    until_kl_nats: float | None = Field(
        default=None, gt=0.0, allow_inf_nan=False, exclude_if=absent
    )

    @property
    def before(self) -> Self:
        """Those of the round before, which ends where its share of the way in sqrt(KL) does."""
        update: dict[str, object] = {"count": self.count - 1}
        if self.until_kl_nats is not None:
            way_nats = self.until_kl_nats * (self.count - 1) ** 2 / self.count**2
            update["until_kl_nats"] = way_nats
        return self.model_copy(update=update)

    @property
    def end_nats(self) -> tuple[float, ...]:
        """The KL budgets of a round that another one follows; none where it runs for its steps."""
        return () if self.until_kl_nats is None else (self.until_kl_nats,)

    @model_validator(mode="after")
    def _rounds_end_in_one_way(self) -> Self:
        if self.steps is not None and self.until_kl_nats is not None:
            raise ValueError(
                "rounds end after steps or spread over KL until until_kl_nats; give one of the two"
            )
        return self

    @model_validator(mode="after")
    def _liti_has_a_share(self) -> Self:
        if (self.start == "liti") != (self.share is not None):
            raise ValueError(
                "start = liti interpolates weights and needs a share, such as 0.5; other starts "
                "take none"
            )
        return self
