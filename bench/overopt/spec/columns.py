"""The columns of ``points.csv``: what ``run`` writes and what ``report`` reads.

An empty cell is a missing value: the quantity does not exist for that row. NaN is refused.
"""

from __future__ import annotations

POINT_COLUMNS: tuple[str, ...] = (
    "task", "world", "gold", "method", "proxy", "noise", "seed", "engine", "along",
    "proxy_start", "proxy_width", "comparisons", "knob", "knob_value", "step",
    "kl_target_nats", "kl_nats", "kl_se", "kl_estimator",
    "kl_rb_nats", "kl_rb_se", "kl_k1_nats", "kl_k1_se", "kl_k2_nats", "kl_k2_se", "kl_k3_nats",
    "kl_k3_se",
    "kl_bound_nats", "kl_pool_nats", "kl_pool_se", "kl_exact_nats",
    "gold_mean", "gold_se", "gold_gain_se", "gold_raw_mean", "gold_exact", "proxy_mean",
    "proxy_se",
    "win_rate", "win_rate_se", "length_mean", "length_se", "entropy_nats", "entropy_se",
    "distinct_1", "distinct_1_se", "distinct_2", "distinct_2_se", "auroc", "auroc_se",
    "auroc_pooled", "ess",
    "n_prompts", "n_samples", "gradient_steps", "samples_drawn", "tokens_processed", "status",
)  # fmt: skip
"""Every column, in order; ``world`` is the world's seed."""

FRONT_COLUMNS: tuple[str, ...] = ("world", "kl_nats", "gold", "ess")
"""Columns of ``front.csv``: the best gold at each KL in each world."""

TEXT = frozenset(
    (
        "task",
        "gold",
        "method",
        "proxy",
        "noise",
        "engine",
        "along",
        "proxy_start",
        "knob",
        "kl_estimator",
        "status",
    )
)
"""Columns of names; all others are numbers."""

STATUSES = ("ok", "unreached", "failed")
"""ok: measured; unreached: a KL budget out of the method's reach; failed: the cell broke."""
