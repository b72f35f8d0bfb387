"""Which columns of ``points.csv`` a row of each status must have, and what they are called."""

from __future__ import annotations

REQUIRED_TEXT = ("task", "gold", "method", "proxy", "noise", "status")
"""Names that no row may lack."""

REQUIRED_SEEDS = ("world", "seed")
"""Numbers that no row may lack."""

WHOLE = frozenset(
    (
        "world",
        "seed",
        "proxy_width",
        "comparisons",
        "step",
        "member",
        "n_prompts",
        "n_samples",
        "gradient_steps",
        "samples_drawn",
        "tokens_processed",
        "seeds",
        "prompts",
        "worlds",
        "peak_choices",
        "peak_choices_agreeing",
    )
)
"""Counts."""

CURVE = ("kl_nats", "gold_mean")
"""Numbers without which a row with status ``ok`` is not a point."""

MEASURED = ("kl_nats", "gold_mean", "proxy_mean")
"""Numbers that only a row with status ``ok`` may have."""

FORMER_ALONG = {"beta": "knob"}
"""What the column ``along`` said in earlier results, and what it says now."""

LEVELS = ("task_level", "method_level", "proxy_level")
"""Columns that reading adds to every point: the levels of its run's axes, as ``key=value``.

Those of settings that change the world, its initial policy or how it is measured; those of how a
method trains; and those of proxies and their data. Empty where a run has none.
"""

LABELS = (*LEVELS, "run", "source", "version", "task_label", "method_label", "proxy_label")
"""Columns that reading adds."""

TASK = ("task", "gold", "task_level")
"""What all results that may share a figure or a mean have in common."""

GROUP = (
    *(*TASK, "world", "method", "method_level", "proxy", "proxy_level", "noise"),
    *("engine", "along", "proxy_start", "proxy_width", "comparisons"),
)
"""What the seeds of one curve have in common."""

CELL = (*GROUP, "seed")
"""What one seed's curve is known by."""

ESTIMATORS = {
    "rb": "Rao-Blackwellized",
    "pool": "pool estimate, ties known",
    "smc": "conditional runs of the filter or search",
    "bound": "analytic upper bound",
    "k1": "k1 = log p/q",
    "k2": "k2 = (log p/q)²/2",
    "k3": "k3 = q/p − 1 − log q/p",
    "exact": "exact",
    "definition": "0 by definition",
}
"""What an axis calls each KL estimator."""


def estimator_name(estimator: str) -> str:
    """What an axis calls one or several estimators joined by "+"."""
    return " / ".join(ESTIMATORS.get(part, part) for part in estimator.split("+") if part)
