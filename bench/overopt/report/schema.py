"""The columns of ``points.csv``, and which of them a row of each status must have."""

from __future__ import annotations

# fmt: off
POINT_COLUMNS: tuple[str, ...] = (
    "task", "method", "proxy", "noise", "seed", "engine", "along", "proxy_width", "comparisons",
    "knob", "knob_value", "step", "kl_target_nats", "kl_nats", "kl_se", "kl_estimator",
    "kl_rb_nats", "kl_rb_se", "kl_k1_nats", "kl_k1_se", "kl_k2_nats", "kl_k2_se", "kl_k3_nats",
    "kl_k3_se", "kl_bound_nats", "kl_exact_nats", "gold_mean", "gold_se", "gold_raw_mean",
    "gold_exact", "proxy_mean", "proxy_se", "win_rate", "win_rate_se", "length_mean",
    "length_se", "entropy_nats", "entropy_se", "distinct_1", "distinct_1_se", "distinct_2",
    "distinct_2_se", "auroc", "ess", "n_prompts", "n_samples", "gradient_steps",
    "samples_drawn", "tokens_processed", "status",
)
# fmt: on
"""Every column, in order."""

TEXT = frozenset(
    ("task", "method", "proxy", "noise", "engine", "along", "knob", "kl_estimator", "status")
)
"""Columns of names; all others are numbers."""

REQUIRED_TEXT = ("task", "method", "proxy", "noise", "status")
"""Names that no row may lack."""

WHOLE = frozenset(
    (
        "seed",
        "proxy_width",
        "comparisons",
        "step",
        "n_prompts",
        "n_samples",
        "gradient_steps",
        "samples_drawn",
        "tokens_processed",
    )
)
"""Counts."""

CURVE = ("kl_nats", "gold_mean")
"""Numbers without which a row with status ``ok`` is not a point."""

MEASURED = ("kl_nats", "gold_mean", "proxy_mean")
"""Numbers that only a row with status ``ok`` may have."""

STATUSES = ("ok", "unreached", "failed")
"""ok: measured; unreached: a KL budget out of the method's reach; failed: the cell broke."""

GROUP = ("task", "method", "proxy", "noise", "engine", "along", "proxy_width", "comparisons")
"""What the seeds of one curve have in common."""

CELL = (*GROUP, "seed")
"""What one seed's curve is known by."""

ESTIMATORS = {
    "rb": "Rao-Blackwellised",
    "pool": "pool estimate",
    "bound": "analytic upper bound",
    "k1": "k1 = log p/q",
    "k2": "k2 = (log p/q)²/2",
    "k3": "k3 = q/p − 1 − log q/p",
    "exact": "exact",
}
"""What an axis calls each KL estimator."""
