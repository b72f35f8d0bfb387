"""Points of trained policies: joins samples, gold, proxy scores and the initial policy's pool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.points import (
    Exact,
    Floats,
    Point,
    Pool,
    check_prompt_major,
    distinct_n,
    estimate,
    initial_point,
    member_scores,
    ranking,
    read_pool,
    win_rate,
    write_exact,
    write_points,
)
from overopt.artifacts.scores import SCALE
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.execution.contract import Progress
from overopt.spec.system import ProxySystemSpec
from overopt.stages.shown.diagnostics import diagnose_members, diagnose_rewards, diagnose_texts
from overopt.stages.shown.excerpts import excerpts
from overopt.stats.kl import clustered_mean, k1, k2, k3
from overopt.worlds.contract import world_of
from overopt.worlds.tokens import Tokens

DIAGNOSES = "diagnostics.json"
"""What is looked at beside the points, and never ranked."""


class Samples:
    """One policy's samples on the held-out prompts, as (B, N) arrays."""

    def __init__(self, table: Table, rows: npt.NDArray[np.int64], pool: Pool, proxy: Floats):
        prompts = pool.gold_BN.shape[0]
        check_prompt_major(table.integers("prompt_id")[rows], prompts)
        self._table, self._rows, self._prompts = table, rows, prompts
        self.gold_BN = (self.column("gold") - pool.gold_mean) / pool.gold_sd
        self.proxy_BN = (proxy[rows] - pool.proxy_offset).reshape(prompts, -1)
        self.responses: Tokens = table.tokens("response").take(rows)
        self.length_BN = self.responses.length_N.reshape(prompts, -1).astype(np.float64)

    @property
    def says_how_likely(self) -> bool:
        """Whether the policy said how likely its samples are."""
        return "policy_logp" in self._table.columns

    @property
    def log_ratio_BN(self) -> Floats:
        """log pi/pi_ref of each response, nats, (B, N)."""
        return self.column("policy_logp") - self.column("reference_logp")

    def column(self, name: str) -> Floats:
        """A column of these samples, (B, N)."""
        return self._table.floats(name)[self._rows].reshape(self._prompts, -1)


def _measure_kl(point: Point, samples: Samples) -> None:
    """KL and entropy of a policy that says how likely its samples are."""
    log_ratio_BN = samples.log_ratio_BN
    rb = clustered_mean(samples.column("kl_rb"))
    point.update(kl_nats=rb.mean, kl_se=rb.se, kl_estimator="rb")
    for name, value in (
        ("kl_rb", rb),
        ("kl_k1", clustered_mean(k1(log_ratio_BN))),
        ("kl_k2", clustered_mean(k2(log_ratio_BN))),
        ("kl_k3", clustered_mean(k3(log_ratio_BN))),
    ):
        estimate(point, name, value, "_nats")
    estimate(point, "entropy", clustered_mean(samples.column("entropy")), "_nats")


def _take_kl(point: Point, samples: Samples, snapshot: Mapping[str, Any]) -> None:
    """KL and entropy of a policy whose samples came with an estimate of it, prompt by prompt.

    Its entropy is -E log pi_ref - KL.
    """
    kl_B = np.asarray(snapshot["kl_of_prompts_nats"], np.float64)
    kl = clustered_mean(kl_B[:, None])
    point.update(kl_nats=kl.mean, kl_se=kl.se, kl_estimator="smc")
    point["kl_bound_nats"] = float(snapshot["kl_bound_nats"])
    entropy_B = -samples.column("reference_logp").mean(axis=1) - kl_B
    estimate(point, "entropy", clustered_mean(entropy_B[:, None]), "_nats")


def policy_point(
    samples: Samples, pool: Pool, exact: Exact | None, snapshot: Mapping[str, Any]
) -> Point:
    """Everything measured on one policy; standard errors are over prompts.

    KL and gold are exact where responses are listed; the estimates of KL stand beside them.
    """
    point: Point = {}
    if "kl_of_prompts_nats" in snapshot:
        _take_kl(point, samples, snapshot)
    else:
        _measure_kl(point, samples)
    estimate(point, "gold", clustered_mean(samples.gold_BN))
    # The standard error of the difference to the initial policy on the same prompts: what the
    # prompts have in common cancels.
    paired_B1 = samples.gold_BN.mean(1, keepdims=True) - pool.gold_BN.mean(1, keepdims=True)
    point["gold_gain_se"] = clustered_mean(paired_B1).se
    estimate(point, "proxy", clustered_mean(samples.proxy_BN))
    estimate(point, "win_rate", win_rate(samples.gold_BN, pool.gold_BN), "")
    estimate(point, "length", clustered_mean(samples.length_BN))
    prompts = pool.gold_BN.shape[0]
    for order in (1, 2):
        estimate(
            point,
            f"distinct_{order}",
            distinct_n(samples.responses, prompts, order, pool.stop_ids),
            "",
        )
    ranking(point, samples.proxy_BN, samples.gold_BN)
    point["gold_raw_mean"] = float(samples.gold_BN.mean()) * pool.gold_sd + pool.gold_mean
    if exact is not None:
        write_exact(point, exact, pool)
    point["n_prompts"], point["n_samples"] = samples.gold_BN.shape[0], samples.gold_BN.size
    return point


def _exact(listed: dict[str, Any], step: str, pool: Pool) -> Exact | None:
    """What was summed over every response; None where the world lists none."""
    if step not in listed:
        return None
    gold_B, start_B = (
        (np.asarray(listed[name]["gold"], np.float64) - pool.gold_mean) / pool.gold_sd
        for name in (step, "initial")
    )
    return Exact(np.asarray(listed[step]["kl_nats"], np.float64), gold_B, start_B)


def _place(point: Point) -> Point:
    """What names a point in the table of diagnostics."""
    return {name: point[name] for name in ("step", "knob_value", "kl_target_nats", "kl_nats")}


def _odds_unit(spec: ProxySystemSpec, inputs: dict[str, Path]) -> float | None:
    """Log-odds in a difference of scores of 1; of a plain reward model alone.

    Systems make other numbers of their members' scores.
    """
    if spec.members > 1 or spec.to_json() != spec.plain.to_json():
        return None
    scale = inputs["score.pool.0"] / SCALE
    return float(read_json(scale)["log_odds_per_sd"]) if scale.is_file() else None


def _diagnose(samples: Samples, pool: Pool, log_odds_per_unit: float | None) -> Point:
    ratio_BN = samples.log_ratio_BN if samples.says_how_likely else None
    prompts = len(samples.gold_BN)
    return {
        **diagnose_rewards(samples.gold_BN, samples.proxy_BN, log_odds_per_unit),
        **diagnose_texts(samples.responses, pool, ratio_BN, prompts),
    }


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Measure one (method, proxy system, noise, seed).

    params: ``system`` (ProxySystemSpec); ``policies``: one entry per ``evaluate.<i>`` input with
    ``knob_value`` (unless its snapshots carry their own) and, where the knob was driven to a
    budget, ``kl_target_nats``; ``unreached_kl_nats``: budgets that no knob value reaches;
    ``samples_per_prompt``.

    A budget that a run stepped over, so that the policy nearest to it is nearer to another budget,
    is unreached as well.
    """
    spec = ProxySystemSpec.model_validate(params["system"])
    system = open_as(OpenedProxy, locate_own(spec, inputs))
    world = world_of(params)
    pool = read_pool(inputs, system)
    points = [initial_point(pool, int(params["samples_per_prompt"]))]
    odds_unit = _odds_unit(spec, inputs)
    pooled = Table(inputs.get("pool.scored", inputs["pool"]) / "samples.parquet")
    spread = diagnose_members(member_scores(inputs, "pool", pooled, system.members))
    rewards = diagnose_rewards(pool.gold_BN, pool.proxy_BN, odds_unit)
    diagnoses = [{"step": 0, **rewards, **spread}]
    gold_KB, proxy_KB = [pool.gold_BN.mean(1)], [pool.proxy_BN.mean(1)]
    furthest: tuple[float, Samples] | None = None
    unreached: list[float] = list(params["unreached_kl_nats"])
    for i, policy in enumerate(params["policies"]):
        folder = inputs[f"evaluate.{i}"]
        record, listed = read_json(folder / "optimize.json"), read_json(folder / "exact.json")
        table = Table(folder / "samples.parquet")
        score_MN = member_scores(inputs, str(i), table, system.members)
        proxy_N = system.combine(score_MN)
        step_N = table.integers("step")
        for snapshot in record["snapshots"]:
            rows = np.flatnonzero(step_N == snapshot["step"])
            samples = Samples(table, rows, pool, proxy_N)
            exact = _exact(listed, str(snapshot["step"]), pool)
            point = policy_point(samples, pool, exact, snapshot)
            point.update(
                step=int(snapshot["step"]),
                knob_value=snapshot.get("knob_value", policy.get("knob_value")),
                kl_target_nats=policy.get("kl_target_nats", snapshot["kl_target_nats"]),
                gradient_steps=snapshot["gradient_steps"],
                samples_drawn=snapshot["samples_drawn"],
                tokens_processed=snapshot["tokens_processed"],
                status="ok",
            )
            points.append(point)
            spread = diagnose_members(score_MN[:, rows])
            diagnoses.append({**_place(point), **_diagnose(samples, pool, odds_unit), **spread})
            gold_KB.append(samples.gold_BN.mean(1) if exact is None else exact.gold_B)
            if exact is not None:
                gold_KB[0] = exact.start_B
            proxy_KB.append(samples.proxy_BN.mean(1))
            kl_nats = point["kl_nats"]
            assert isinstance(kl_nats, float), "a measured policy has a KL"
            if furthest is None or kl_nats > furthest[0]:
                furthest = kl_nats, samples
            unreached += snapshot["shared_kl_targets_nats"]
        if "kl_target_nats" not in policy:
            unreached += record["unreached_kl_nats"]
    points += [{"kl_target_nats": kl_nats, "status": "unreached"} for kl_nats in sorted(unreached)]
    write_points(out, points, gold_KB, proxy_KB)
    write_json(out / DIAGNOSES, diagnoses)
    shown = []
    if furthest is not None:
        kl_nats, seen = furthest
        shown = excerpts(world, pool, seen.responses, seen.gold_BN, seen.proxy_BN, kl_nats)
    write_json(out / "excerpts.json", shown)
