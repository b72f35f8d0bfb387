"""The question that is asked of every method of a contest."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from overopt.errors import UserError

Metric = Literal["gold-at-kl", "peak", "end", "hypervolume"]
METRICS: tuple[Metric, ...] = get_args(Metric)


class Question(NamedTuple):
    """What is asked of every method.

    Attributes:
        metric: gold at a fixed KL, at its peak, at the end of the budgets; or the hypervolume.
        at_kl_nats: the fixed KL, nats; the other metrics do not read it.
        baseline: the method that others are set against; None for the best one.
    """

    metric: Metric = "gold-at-kl"
    at_kl_nats: float = 4.0
    baseline: str | None = None

    @classmethod
    def ask(cls, metric: str, at_kl_nats: float, baseline: str | None) -> Question:
        """A question from words.

        Raises:
            UserError: there is no such metric, or the KL is not a positive number.
        """
        for known in METRICS:
            if metric == known:
                if not 0.0 < at_kl_nats < float("inf"):
                    raise UserError(
                        f"--at-kl {at_kl_nats:g}: a KL is a number of nats above 0; give one such "
                        "as 4."
                    )
                return cls(known, float(at_kl_nats), baseline)
        raise UserError(
            f"--metric {metric[:40]!r}: there is no such metric; choose one of "
            f"{', '.join(METRICS)}."
        )

    @property
    def at_kl(self) -> str:
        """The fixed KL in words."""
        return f"{self.at_kl_nats:g} nat{'' if self.at_kl_nats == 1.0 else 's'}"

    @property
    def where(self) -> str:
        """At what KL, or by what, methods are compared."""
        return {
            "gold-at-kl": f"at {self.at_kl}",
            "peak": "at the peak",
            "end": "at the end of the budgets",
            "hypervolume": "by hypervolume",
        }[self.metric]

    @property
    def score(self) -> str:
        """The score as a column is called."""
        return {
            "gold-at-kl": f"gold at {self.at_kl}",
            "peak": "gold at peak",
            "end": "gold at end",
            "hypervolume": "hypervolume",
        }[self.metric]

    @property
    def digits(self) -> int:
        """Digits that a score is shown with."""
        return 3 if self.metric == "hypervolume" else 2
