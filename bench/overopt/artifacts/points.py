"""One point: everything that is reported of one policy at one place along KL.

A point is a mapping from column name to number, text or None; None means that the quantity does
not exist for this kind of policy, never that it failed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.artifacts.scores import aligned_scores
from overopt.artifacts.tables import Table, read_json, write_json, write_table
from overopt.engines.proxy import OpenedProxy
from overopt.stats.budgets import is_met
from overopt.stats.kl import Estimate, clustered_mean
from overopt.stats.proxy_quality import ranking_accuracy
from overopt.worlds.tokens import EOS, Tokens

Point = dict[str, float | int | str | None]
Floats = npt.NDArray[np.float64]

_RANKED_SAMPLES = 64
"""Samples per prompt that suffice for the ranking accuracy under the initial policy."""


class Pool(NamedTuple):
    """The initial policy on the held-out prompts: B prompts, N samples each.

    gold_BN and proxy_BN are in SDs of the initial policy around its mean; gold_mean and gold_sd
    turn them back into raw gold. proxy_BN may hold the first samples only (``scored``).
    """

    gold_BN: Floats
    proxy_BN: Floats
    reference_logp_BN: Floats
    responses: Tokens
    gold_mean: float
    gold_sd: float
    proxy_offset: float
    stop_ids: tuple[int, ...] = (EOS,)

    @property
    def scored(self) -> int:
        """How many samples of each prompt, from the first on, the proxy has scored."""
        return int(self.proxy_BN.shape[1])


class Exact(NamedTuple):
    """A policy summed over every response, prompt by prompt, where the world lists them.

    kl_B: KL from the initial policy, nats. gold_B, start_B: gold of the policy and of the initial
    one, in the units of the pool.
    """

    kl_B: Floats
    gold_B: Floats
    start_B: Floats


def read_pool(inputs: dict[str, Path], system: OpenedProxy) -> Pool:
    """The pool artifact, with the system's reward recentered so that its mean is 0.

    Where there is an input ``pool.scored``, these first samples of each prompt are all that the
    proxy has scored.
    """
    table = Table(inputs["pool"] / "samples.parquet")
    scored = Table(inputs["pool.scored"] / "samples.parquet") if "pool.scored" in inputs else table
    summary = read_json(inputs["pool"] / "summary.json")
    prompt_id_N = table.integers("prompt_id")
    prompts = int(prompt_id_N.max()) + 1
    check_prompt_major(prompt_id_N, prompts)
    check_prompt_major(scored.integers("prompt_id"), prompts)
    proxy_N = system_scores(inputs, "pool", scored, system)
    offset = float(proxy_N.mean())
    gold_N = (table.floats("gold") - summary["gold_mean"]) / summary["gold_sd"]
    return Pool(
        gold_BN=gold_N.reshape(prompts, -1),
        proxy_BN=(proxy_N - offset).reshape(prompts, -1),
        reference_logp_BN=table.floats("reference_logp").reshape(prompts, -1),
        responses=table.tokens("response"),
        gold_mean=float(summary["gold_mean"]),
        gold_sd=float(summary["gold_sd"]),
        proxy_offset=offset,
        stop_ids=tuple(summary["stop_ids"]),
    )


def check_prompt_major(prompt_id_N: npt.NDArray[np.int64], prompts: int) -> None:
    """Refuse rows that ``reshape(prompts, -1)`` would give to another prompt (ValueError)."""
    expected_N = np.repeat(np.arange(prompts), len(prompt_id_N) // prompts)
    if len(prompt_id_N) != len(expected_N) or (prompt_id_N != expected_N).any():
        raise ValueError("samples are not in prompt-major order, equally many of each prompt")


def member_scores(inputs: dict[str, Path], role: str, samples: Table, members: int) -> Floats:
    """Scores (M, N) of every row of ``samples`` from the inputs ``score.<role>.<member>``."""
    return np.stack(
        [aligned_scores(inputs[f"score.{role}.{member}"], samples) for member in range(members)]
    )


def system_scores(
    inputs: dict[str, Path], role: str, samples: Table, system: OpenedProxy
) -> Floats:
    """Reward (N,) of every row of ``samples`` from the scores of the system's members."""
    return system.combine(member_scores(inputs, role, samples, system.members))


def estimate(point: Point, name: str, value: Estimate | None, suffix: str = "_mean") -> None:
    """Write a mean and its standard error into the point; nothing where there is none."""
    if value is not None:
        point[f"{name}{suffix}"], point[f"{name}_se"] = value.mean, value.se


def write_exact(point: Point, exact: Exact, pool: Pool) -> None:
    """Let exact KL and gold take the place of estimates; standard errors are over prompts only."""
    kl = clustered_mean(exact.kl_B[:, None])
    gain = clustered_mean((exact.gold_B - exact.start_B)[:, None])
    point.update(kl_nats=kl.mean, kl_se=kl.se, kl_estimator="exact", kl_exact_nats=kl.mean)
    point.update(gold_mean=gain.mean, gold_gain_se=gain.se, gold_exact=gain.mean)
    point["gold_se"] = clustered_mean(exact.gold_B[:, None]).se
    point["gold_raw_mean"] = float(exact.gold_B.mean()) * pool.gold_sd + pool.gold_mean


def ranking(point: Point, proxy_BN: Floats, gold_BN: Floats) -> None:
    """Write the proxy's ranking accuracy against gold: within prompts (with SE), and pooled."""
    prompt_R = np.repeat(np.arange(gold_BN.shape[0]), gold_BN.shape[1])
    accuracy = ranking_accuracy(prompt_R, gold_BN.ravel(), proxy_BN.ravel())
    point["auroc_pooled"] = accuracy.pooled
    estimate(point, "auroc", accuracy.within, "")


def win_rate(gold_BN: Floats, pool_gold_BN: Floats) -> Estimate:
    """Probability that a sample beats one of the initial policy on the same prompt, by gold.

    A tie counts one half. gold_BN and pool_gold_BN may have different numbers of samples.
    """
    chance_BN = np.empty_like(gold_BN)
    for b, (gold_N, pool_N) in enumerate(zip(gold_BN, np.sort(pool_gold_BN, axis=1), strict=True)):
        below = np.searchsorted(pool_N, gold_N, side="left")
        not_above = np.searchsorted(pool_N, gold_N, side="right")
        chance_BN[b] = (below + not_above) / (2 * len(pool_N))
    return clustered_mean(chance_BN)


FRESH = 10
"""Effective samples of a reweighted pool for each that is drawn, from which on draws tell of
diversity: of fewer, the same texts are drawn again, which the policy itself would not return."""


def distinct_n(
    responses: Tokens, prompts: int, order: int, stop_ids: tuple[int, ...] = (EOS,)
) -> Estimate | None:
    """Distinct n-grams / all n-grams among the samples of a prompt, mean over prompts.

    The token that ends a response is no word. Prompts without an n-gram have no ratio and do not
    count; None where there is no n-gram at all. The ratio falls as more samples are pooled, so
    that only estimates from the same number of samples per prompt compare.

    Reference: Li et al., "A Diversity-Promoting Objective Function for Neural Conversation
        Models", section 5, https://arxiv.org/abs/1510.03055 (there over a whole corpus).
    """
    ids_NT = responses.ids_NT.astype(np.int64)
    word_NT = responses.mask_NT & ~np.isin(ids_NT, stop_ids)
    width = max(ids_NT.shape[1] - order + 1, 0)
    base = int(ids_NT.max(initial=0)) + 1
    gram_NT = np.zeros((ids_NT.shape[0], width), dtype=np.int64)
    whole_NT = np.ones(gram_NT.shape, dtype=bool)
    for offset in range(order):
        piece_NT = ids_NT[:, offset : offset + width]
        gram_NT = gram_NT * base + piece_NT
        whole_NT &= word_NT[:, offset : offset + width]
    prompt_NT = np.repeat(np.arange(prompts), ids_NT.shape[0] // prompts)[:, None]
    coded = (prompt_NT * base**order + gram_NT)[whole_NT]
    total_B = np.bincount(np.broadcast_to(prompt_NT, gram_NT.shape)[whole_NT], minlength=prompts)
    unique_B = np.bincount(np.unique(coded) // base**order, minlength=prompts)
    known_B = total_B > 0
    if not known_B.any():
        return None
    return clustered_mean((unique_B[known_B] / total_B[known_B])[:, None])


def initial_point(pool: Pool, samples_per_prompt: int) -> Point:
    """The initial policy: KL, gold and proxy are 0 by definition of the axes.

    samples_per_prompt: of the optimized policies; distinct-n compares at equal numbers only, so
    that it is taken over the first so many of the pool, and missing where there are fewer.
    """
    zero = clustered_mean(pool.gold_BN)
    point: Point = {"step": 0, "kl_nats": 0.0, "kl_se": 0.0, "kl_estimator": "definition"}
    point.update(gold_mean=0.0, gold_se=zero.se, gold_gain_se=0.0, proxy_mean=0.0)
    point["proxy_se"] = clustered_mean(pool.proxy_BN).se
    point.update(win_rate=0.5, win_rate_se=0.0, gold_raw_mean=pool.gold_mean, status="ok")
    prompts, samples = pool.gold_BN.shape
    length_BN = pool.responses.length_N.reshape(prompts, samples).astype(np.float64)
    estimate(point, "length", clustered_mean(length_BN))
    estimate(point, "entropy", clustered_mean(-pool.reference_logp_BN), "_nats")
    if samples_per_prompt <= samples:
        first_BN = np.arange(prompts)[:, None] * samples + np.arange(samples_per_prompt)
        responses = pool.responses.take(first_BN.ravel())
        for order in (1, 2):
            diversity = distinct_n(responses, prompts, order, pool.stop_ids)
            estimate(point, f"distinct_{order}", diversity, "")
    ranked = min(_RANKED_SAMPLES, pool.scored)
    ranking(point, pool.proxy_BN[:, :ranked], pool.gold_BN[:, :ranked])
    point["n_prompts"], point["n_samples"] = prompts, pool.gold_BN.size
    return point


def write_points(
    out: Path, points: list[Point], gold_KB: list[Floats], proxy_KB: list[Floats]
) -> None:
    """Write the points, and the per-prompt means of those that were measured (None elsewhere)."""
    points = release_missed(points)
    write_json(out / "points.json", points)
    measured = [k for k, point in enumerate(points) if point["status"] == "ok"]
    prompts = len(gold_KB[0])
    write_table(
        out / "prompts.parquet",
        {
            "point": np.repeat(np.array(measured, dtype=np.int32), prompts),
            "prompt_id": np.tile(np.arange(prompts, dtype=np.int32), len(measured)),
            "gold": np.concatenate(gold_KB),
            "proxy": np.concatenate(proxy_KB),
        },
    )


def _budget_nats(point: Point) -> float:
    budget_nats = point["kl_target_nats"]
    assert isinstance(budget_nats, int | float)
    return budget_nats


def release_missed(points: list[Point]) -> list[Point]:
    """The points, none of which claims a budget that its measured KL does not meet.

    Runs look for budgets by a cheap estimate of KL; what they found is judged by the measurement
    on held-out prompts. A point that misses its budget stays as a point between budgets, and the
    budget is unreached.
    """
    kept, missed = [], []
    for point in points:
        budget_nats = point.get("kl_target_nats")
        kl_nats = point.get("kl_nats")
        if (
            point["status"] == "ok"
            and isinstance(budget_nats, int | float)
            and isinstance(kl_nats, int | float)
            and not is_met(kl_nats, budget_nats)
        ):
            point = {**point, "kl_target_nats": None}
            missed.append(float(budget_nats))
        kept.append(point)
    unreached = [point for point in kept if point["status"] == "unreached"]
    unreached += [{"kl_target_nats": budget_nats, "status": "unreached"} for budget_nats in missed]
    unreached.sort(key=_budget_nats)
    return [point for point in kept if point["status"] != "unreached"] + unreached
