"""The columns of a run's tables: what ``run`` writes and what ``report`` reads.

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

FLAW_COLUMNS = ("flaw", "dose")
"""Further columns of ``points.csv`` of runs with flaws of the labels; empty without a flaw.

``noise`` names the flaw too, behind the noise, so that whatever is grouped by noise keeps flawed
and unflawed runs apart.
"""

FRONT_COLUMNS: tuple[str, ...] = ("world", "kl_nats", "gold", "gold_se", "estimator", "ess")
"""Columns of ``front.csv``: the best gold at each KL in each world, and where it comes from.

estimator: ``exact``; ``pool``, with its effective sample size; or ``annealed``, with the Monte
Carlo standard error of gold.
"""

FRONT_ESTIMATORS = ("exact", "pool", "annealed")
"""Where a point of an oracle front may come from."""

CARD_COLUMNS: tuple[str, ...] = (
    "task", "world", "method", "proxy", "noise", "kl_target_nats",
    "kl_nats", "gold", "gold_low", "gold_high", "seeds", "seeds_run", "samples", "tokens",
)  # fmt: skip
"""Columns of the committed curves that ``bench show`` draws; gold in SDs of the initial policy."""

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

_INTERVAL = ("", "_se", "_df", "_low", "_high")
"""A mean, its standard error, its degrees of freedom (empty where the error is 0), its bounds."""

CONTRAST_COLUMNS: tuple[str, ...] = (
    "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seeds", "prompts",
    "peak_kl_target_nats", "peak_choices", "peak_choices_agreeing", "peak_kl_nats",
    *(f"peak_gold{part}" for part in _INTERVAL),
    "end_kl_target_nats", "end_kl_nats",
    *(f"end_gold{part}" for part in _INTERVAL),
    *(f"fall{part}" for part in _INTERVAL),
    "over", "rises", "falls", "exploratory",
)  # fmt: skip
"""Columns of ``contrasts.csv``, the one place that holds a peak and an end.

KL in nats: the budget (target) and what was achieved; gold and the fall in SDs of the initial
policy, 0 for the initial policy, each with a 95 % interval over what ``over`` names. The peak was
chosen ``peak_choices`` times, ``peak_choices_agreeing`` times as shown. The fall is empty where the
peak is the end.
"""

BUDGET_COLUMNS: tuple[str, ...] = (
    "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "quantity",
    "kl_target_nats", "kl_nats", "seeds", "prompts",
    *(f"mean{part}" for part in _INTERVAL),
    "over",
)  # fmt: skip
"""Columns of ``budgets.csv``: mean gold and proxy at every budget over the seeds that get there."""

_OVER_WORLDS = ("", "_across_low", "_across_high", "_within_low", "_within_high")
"""A mean over worlds, its bounds for any world of the kind, its bounds for these worlds."""

WORLD_COLUMNS: tuple[str, ...] = (
    "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "worlds", "seeds",
    "peak_kl_target_nats", "peak_kl_nats", *(f"peak_gold{part}" for part in _OVER_WORLDS),
    "end_kl_target_nats", "end_kl_nats", *(f"end_gold{part}" for part in _OVER_WORLDS),
    *(f"fall{part}" for part in _OVER_WORLDS),
    "over", "rises", "falls",
)  # fmt: skip
"""Columns of ``worlds.csv``: peak, end and fall as means over worlds, where there are several.

``seeds`` counts those of all worlds. Bounds across worlds need three of them; ``over`` says which
bounds the verdicts read.
"""

TRAJECTORY_QUANTITIES: tuple[str, ...] = (
    "kl_nats", "loss", "gradient_norm", "reward_mean", "length_mean", "entropy_nats",
    "chosen_log_ratio_nats", "rejected_log_ratio_nats", "accuracy",
)  # fmt: skip
"""What is seen of a training run at a step, as far as its family has it.

KL is the cheap estimate that steers the run, in nats; the loss is in the method's own unit; the
reward is the proxy's, in SDs of the initial policy; log-ratios are means over chosen and rejected
responses.
"""

TRAJECTORY_COLUMNS: tuple[str, ...] = (
    "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed", "member",
    "knob_value", "step", *TRAJECTORY_QUANTITIES,
)  # fmt: skip
"""Columns of ``trajectory.csv``: one row per training run and step.

``member`` numbers runs whose policies are merged; ``knob_value`` tells runs of a driven knob apart.
"""

CONTRAST_TEXT = frozenset(("proxy", "noise", "proxy_start", "quantity", "over"))
"""Columns of names in these tables."""

CONTRAST_FLAGS = ("rises", "falls", "exploratory")
"""Columns that are True or False."""

PROMPTS_FILE = "prompts.parquet"
"""The table of a run folder that holds gold prompt by prompt."""

PROMPT_COLUMNS = ("row", "prompt_id", "gold")
"""Columns of ``prompts.parquet``: gold of every measured point of ``points.csv``, by prompt.

row: number of the point's data row in ``points.csv``, from 0, which names its KL and all else.
gold: mean over the responses to the prompt, SDs of the initial policy around its mean, 32 bits.
"""

DIAGNOSTICS_FILE = "diagnostics.csv"

DIAGNOSTIC_COLUMNS: tuple[str, ...] = (
    "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed", "step",
    "knob_value", "kl_target_nats", "kl_nats", "correlation", "correlation_within", "tail_index",
    "tail_index_se", "calibration_error", "repetition", "repetition_se", "meteor", "meteor_se",
    "length_r2", "spread", "csi", "mmd", "component_1", "component_2", "component_3",
    "forward_kl_nats", "forward_kl_se", "choice_error",
)  # fmt: skip
"""Columns of ``diagnostics.csv``: what is looked at beside points, and never ranked.

correlation: Pearson's of proxy and gold over all responses, and within prompts. tail_index: Hill's,
of proxy - gold. calibration_error: of the proxy's comparisons. repetition: share of a response's
word pairs that stood in it before. meteor: likeness to the initial policy's responses. length_r2:
share of the variance of log pi/pi_ref that length explains. spread: mean SD over the members of an
ensemble. What follows is there where a run asks for it (``spec.look``). csi: cluster
separation index of the samples in InfoRM's latents. mmd: maximum mean discrepancy of proxy and
gold. component_1 to 3: mean scores of reward models that learn one attribute each.
forward_kl_nats: KL(initial || policy), Rao-Blackwellized; its standard error is over prompts.
choice_error: calibration error of the policy's choices between the responses of held-out pairs.
"""

LATER_DIAGNOSTICS: tuple[str, ...] = (
    "spread", "csi", "mmd", "component_1", "component_2", "component_3",
    "forward_kl_nats", "forward_kl_se", "choice_error",
)  # fmt: skip
"""Those that tables of earlier versions lack."""

RANKINGS_FILE = "rankings.csv"

RANKING_COLUMNS: tuple[str, ...] = (
    "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed", "step",
    "ranking", "ranking_se", "ranking_per_token", "ranking_per_token_se", "ranking_ideal",
    "implicit", "implicit_se", "flipped", "flipped_se", "heldout_loss_nats",
)  # fmt: skip
"""Columns of ``rankings.csv``: how the policies along a run rank preference pairs.

ranking: share of held-out pairs, labeled by gold without noise, whose better response is the
likelier one; per_token: by the mean over tokens. ranking_ideal: the same of the optimum that DPO
has at the beta of a method that learns from pairs, where labels err at one rate. implicit: share
of the held-out pairs whose better response gained more log-probability. flipped: of the training
pairs that the initial policy ranks wrong, the share that are ranked right. heldout_loss_nats:
DPO's loss on the held-out pairs. Standard errors are over pairs.
"""

ANGLES_FILE, ALL_WEIGHTS = "angles.csv", "all"

ANGLE_COLUMNS: tuple[str, ...] = (
    "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed", "first",
    "second", "layer", "weights", "angle_degrees",
)  # fmt: skip
"""Columns of ``angles.csv``: angles between what the members of a merged policy have learned.

first, second: numbers of two members, from 0. layer: a parameter by name, or ``all`` weights at
once; weights: how many it has. angle_degrees: between what training has added to these weights in
the one and in the other, 0 to 180; empty where one of them has not moved.
"""

COMPONENTS_FILE = "component_points.csv"

COMPONENT_COLUMNS: tuple[str, ...] = (
    "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed", "half", "kind",
    "member", "score", "n", "gold", "weights",
)  # fmt: skip
"""Columns of ``component_points.csv``: what components score where gold is highest.

By best-of-n of the pool, over weights of the components and n. half: the prompts by which the
search goes: every other one (``first``), the rest (``second``), or ``all``. kind: ``joint``, over
all weights, or ``alone``, over the n of the member alone. score: the member's gain there, in SDs of
its scores of the initial policy; gold: gold's gain there.
"""

SIGNALS_FILE, TWINS_FILE = "signals.csv", "twins.csv"
"""Tables of a run folder that ``bench monitor`` adds: what is seen along runs, and along twins."""

SIGNAL_COLUMNS: tuple[str, ...] = (
    "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed", "step",
    "kl_nats", "length", "entropy_nats", "reward", "spread", "heldout_proxy", "outlier_share",
    "energy_loss",
)  # fmt: skip
