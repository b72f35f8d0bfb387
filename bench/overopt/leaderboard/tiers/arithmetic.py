"""Whether the points follow from the samples: every mean and standard error computed again."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.leaderboard.submission.verdict import Finding, found
from overopt.stats.kl import Estimate, clustered_mean, k1, k2, k3
from overopt.stats.proxy_quality import ranking_accuracy

TOLERANCE = 1e-6
"""By which a number of ``points.csv`` may differ from the one that its samples give, relative to
1 or to its size where that is more. Both are float64 sums of the same numbers."""

Wanted = dict[str, float | None]


def judge_arithmetic(cell: Cell, samples: Samples, points: pd.DataFrame, where: str) -> Finding:
    """Compare every column that follows from a cell's samples, and tell the worst."""
    worst, words = 0.0, "points follow from the samples"
    for number, row in enumerate(samples.measured_K.tolist()):
        stated = points.loc[row]
        try:
            wanted = (
                recompute(cell, samples, number, str(stated["kl_estimator"]))
                if number
                else _initial(samples)
            )
        except ValueError as error:  # k3 of a log-ratio that no policy has
            return found("T0", "arithmetic", False, f"row {row + 1}: {error}", where)
        for name, value in wanted.items():
            told = float(stated[name])
            gap = _gap(told, value)
            if gap > worst:
                worst = gap
                words = f"row {row + 1}: {name} = {told:.8g}, the samples give {_shown(value)}"
    for name, gap in _prompt_gaps(cell, samples, points):
        if gap > worst:
            worst, words = gap, f"{name} does not follow from the samples of the prompts"
    good = worst <= TOLERANCE
    if good:
        words = "points follow from the samples"
    value = worst if math.isfinite(worst) else None
    return found("T0", "arithmetic", good, words, where, value, TOLERANCE)


def _initial(samples: Samples) -> Wanted:
    wanted: Wanted = {"kl_nats": 0.0, "gold_mean": 0.0, "proxy_mean": 0.0, "win_rate": 0.5}
    wanted["n_prompts"] = float(samples.prompt_gold_KB.shape[1])
    return wanted


def recompute(cell: Cell, samples: Samples, k: int, estimator: str) -> Wanted:
    """The columns of the k-th measured point, as far as its samples and prompts give them."""
    prompts = samples.prompt_gold_KB.shape[1]
    rows = np.flatnonzero(samples.point == samples.measured_K[k])
    wanted: Wanted = {}

    def put(name: str, value: Estimate, suffix: str = "_mean") -> None:
        wanted[f"{name}{suffix}"], wanted[f"{name}_se"] = value.mean, value.se

    gold_BN = (samples.gold[rows].reshape(prompts, -1) - cell.gold_mean) / cell.gold_sd
    proxy_BN = samples.proxy[rows].reshape(prompts, -1) - cell.proxy_offset
    kl = clustered_mean(samples.prompt_kl_KB[k][:, None])
    wanted["kl_nats"], wanted["kl_se"] = kl.mean, kl.se
    of_prompts = clustered_mean(samples.prompt_gold_KB[k][:, None])
    gain = clustered_mean((samples.prompt_gold_KB[k] - samples.prompt_gold_KB[0])[:, None])
    put("gold", of_prompts)
    proxy_B, start = samples.prompt_proxy_KB[k], 0.0
    if estimator == "exact" and is_reweighted(samples, estimator):
        start = float(samples.prompt_proxy_KB[0].mean())  # of the policy itself, not of its pool
    put("proxy", clustered_mean((proxy_B - start)[:, None]))
    wanted["gold_gain_se"] = gain.se
    wanted["gold_raw_mean"] = of_prompts.mean * cell.gold_sd + cell.gold_mean
    if estimator == "exact":
        wanted["gold_mean"] = wanted["gold_exact"] = gain.mean
        wanted["kl_exact_nats"] = kl.mean
    if estimator == "pool":
        wanted["kl_pool_nats"], wanted["kl_pool_se"] = kl.mean, kl.se
    if len(samples.policy_logp):
        ratio_BN = (samples.policy_logp - samples.reference_logp)[rows].reshape(prompts, -1)
        rb_BN = samples.kl_rb[rows].reshape(prompts, -1)
        put("kl_rb", clustered_mean(rb_BN), "_nats")
        put("kl_k1", clustered_mean(k1(ratio_BN)), "_nats")
        put("kl_k2", clustered_mean(k2(ratio_BN)), "_nats")
        put("kl_k3", clustered_mean(k3(ratio_BN)), "_nats")
        entropy_BN = samples.entropy[rows].reshape(prompts, -1)
        put("entropy", clustered_mean(entropy_BN), "_nats")
    if not is_reweighted(samples, estimator):
        length_BN = samples.responses.length_N[rows].reshape(prompts, -1).astype(np.float64)
        put("length", clustered_mean(length_BN))
        wanted["n_samples"] = float(gold_BN.size)
        put("proxy", clustered_mean(proxy_BN))
        if estimator != "exact":
            put("gold", clustered_mean(gold_BN))
    if estimator == "smc":
        reference_B = samples.reference_logp[rows].reshape(prompts, -1).mean(axis=1)
        entropy_B = -reference_B - samples.prompt_kl_KB[k]
        put("entropy", clustered_mean(entropy_B[:, None]), "_nats")
    accuracy = ranking_accuracy(
        np.repeat(np.arange(prompts), gold_BN.shape[1]), gold_BN.ravel(), proxy_BN.ravel()
    )
    within = accuracy.within
    wanted["auroc"], wanted["auroc_se"] = (
        (None, None) if within is None else (within.mean, within.se)
    )
    wanted["auroc_pooled"] = accuracy.pooled
    wanted["n_prompts"] = float(prompts)
    return wanted


def is_reweighted(samples: Samples, estimator: str) -> bool:
    """Whether means are over a reweighted pool, of which the samples are draws."""
    return not len(samples.policy_logp) and estimator in ("pool", "exact")


def _prompt_gaps(cell: Cell, samples: Samples, points: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """How far means of prompts are from those of their samples, where they are such means."""
    prompts = samples.prompt_gold_KB.shape[1]
    for k, row in enumerate(samples.measured_K.tolist()):
        estimator = str(points.loc[row, "kl_estimator"])
        if k == 0:
            yield "prompt_kl", float(np.abs(samples.prompt_kl_KB[0]).max())
            continue
        if is_reweighted(samples, estimator):
            continue
        rows = np.flatnonzero(samples.point == row)
        proxy_B = samples.proxy[rows].reshape(prompts, -1).mean(axis=1) - cell.proxy_offset
        yield "prompt_proxy", float(np.abs(proxy_B - samples.prompt_proxy_KB[k]).max())
        if estimator != "exact":
            gold_B = samples.gold[rows].reshape(prompts, -1).mean(axis=1)
            gold_B = (gold_B - cell.gold_mean) / cell.gold_sd
            yield "prompt_gold", float(np.abs(gold_B - samples.prompt_gold_KB[k]).max())
        if estimator == "rb":
            kl_B = samples.kl_rb[rows].reshape(prompts, -1).mean(axis=1)
            yield "prompt_kl", float(np.abs(kl_B - samples.prompt_kl_KB[k]).max())


def _gap(told: float, wanted: float | None) -> float:
    if wanted is None:
        return 0.0 if math.isnan(told) else math.inf
    if math.isnan(told):
        return math.inf
    return abs(told - wanted) / max(1.0, abs(wanted))


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.8g}"
