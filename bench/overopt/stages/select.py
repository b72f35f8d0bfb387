"""Points of the selection family: the initial policy's pool, reweighted by the method.

Every quantity is an expectation under the method's weights over the pool; nothing is trained.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.points import (
    Floats,
    Point,
    Pool,
    distinct_n,
    estimate,
    initial_point,
    ranking,
    read_pool,
    write_points,
)
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.system import System
from overopt.artifacts.tables import write_json
from overopt.engines.placing import Place, midpoints, place
from overopt.execution.contract import Progress
from overopt.execution.modules import load_module
from overopt.methods.contract.selection import ScoredPool
from overopt.spec.declare import Knob
from overopt.spec.method import MethodSpec, ProxySystemSpec
from overopt.spec.world import WorldSpec
from overopt.stages.excerpts import excerpts
from overopt.stats.kl import Estimate, clustered_mean
from overopt.stats.listed import kl_listed, uniform
from overopt.worlds.contract import build

SMALLEST_ESS = 10.0
"""Effective samples per prompt (harmonic mean) below which weights are not trusted."""


def _weighted(values_BN: Floats, weight_BN: Floats) -> Estimate:
    """Mean over prompts of the expectation under the weights, with the SE over prompts."""
    return clustered_mean((weight_BN * values_BN).sum(1, keepdims=True))


def _win_chance(pool: Pool) -> Floats:
    """For each sample of the pool, the chance to beat another one of its prompt by gold (B, N).

    A tie counts one half; a sample is not compared with itself.
    """
    chance_BN = np.empty_like(pool.gold_BN)
    for b, gold_N in enumerate(pool.gold_BN):
        ordered_N = np.sort(gold_N)
        below = np.searchsorted(ordered_N, gold_N, side="left")
        not_above = np.searchsorted(ordered_N, gold_N, side="right")
        chance_BN[b] = (below + not_above - 1) / (2 * (len(gold_N) - 1))
    return chance_BN


def draw(weight_BN: Floats, samples: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Rows of the flat pool (B x samples) drawn with replacement from the weights."""
    prompts, pool_samples = weight_BN.shape
    edge_BN = np.cumsum(weight_BN, axis=1) / weight_BN.sum(axis=1, keepdims=True)
    offset_B1 = np.arange(prompts)[:, None]
    uniform = rng.random((prompts, samples))
    row = np.searchsorted((edge_BN + offset_B1).ravel(), (uniform + offset_B1).ravel(), "right")
    first_B1, last_B1 = offset_B1 * pool_samples, (offset_B1 + 1) * pool_samples - 1
    return np.clip(row.reshape(prompts, samples), first_B1, last_B1).ravel()


def selection_point(
    pool: Pool, weight_BN: Floats, kl_bound_nats: float | None, drawn: npt.NDArray[np.int64]
) -> Point:
    """Everything measured on one reweighted pool; ``drawn`` are rows drawn from the weights.

    The KL is the analytic bound, or the weights' own where there is none.
    """
    prompts, pool_samples = weight_BN.shape
    kl_B = kl_listed(weight_BN, uniform(*weight_BN.shape))
    estimated = clustered_mean(kl_B[:, None])
    point: Point = {"kl_pool_nats": estimated.mean, "kl_pool_se": estimated.se}
    if kl_bound_nats is None:
        point.update(kl_nats=estimated.mean, kl_se=estimated.se, kl_estimator="pool")
    else:
        point.update(kl_nats=kl_bound_nats, kl_se=0.0, kl_estimator="bound")
        point["kl_bound_nats"] = kl_bound_nats
    gold = _weighted(pool.gold_BN, weight_BN)
    estimate(point, "gold", gold)
    gain_BN = pool.gold_BN - pool.gold_BN.mean(1, keepdims=True)
    point["gold_gain_se"] = _weighted(gain_BN, weight_BN).se
    estimate(point, "proxy", _weighted(pool.proxy_BN, weight_BN))
    estimate(point, "win_rate", _weighted(_win_chance(pool), weight_BN), "")
    length_BN = pool.responses.length_N.reshape(prompts, pool_samples).astype(np.float64)
    estimate(point, "length", _weighted(length_BN, weight_BN))
    # log pi = log pi_ref + log(N w), so that the entropy is -E log pi_ref - KL.
    entropy_B1 = -(weight_BN * pool.reference_logp_BN).sum(1, keepdims=True) - kl_B[:, None]
    estimate(point, "entropy", clustered_mean(entropy_B1), "_nats")
    responses = pool.responses.take(drawn)
    for order in (1, 2):
        diversity = distinct_n(responses, prompts, order, pool.stop_ids)
        estimate(point, f"distinct_{order}", diversity, "")
    shape = (prompts, -1)
    ranking(
        point,
        pool.proxy_BN.ravel()[drawn].reshape(shape),
        pool.gold_BN.ravel()[drawn].reshape(shape),
    )
    point["gold_raw_mean"] = gold.mean * pool.gold_sd + pool.gold_mean
    point["ess"] = float((1 / (weight_BN**2).sum(axis=1)).mean())
    point["n_prompts"], point["n_samples"] = prompts, pool.gold_BN.size
    return point


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Measure a selection method at every budget that its knob can meet within the pool.

    A method with ``kl_bound_nats`` is placed by it, every other one by the KL of its weights.

    params: ``method`` (MethodSpec), ``system`` (ProxySystemSpec), ``kl_grid_nats``,
    ``samples_per_prompt`` (for what needs drawn samples), ``seed``.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    module = load_module(method.source)
    config = module.Config(**method.config)
    system = System(locate_own(ProxySystemSpec.model_validate(params["system"]), inputs))
    world = build(WorldSpec.model_validate(params["world"]))
    pool = read_pool(inputs, system)
    points = [initial_point(pool, int(params["samples_per_prompt"]))]
    gold_KB, proxy_KB = [pool.gold_BN.mean(1)], [pool.proxy_BN.mean(1)]
    rng = numpy_rng(int(params["seed"]), "select", method.name)
    furthest: tuple[float, npt.NDArray[np.int64]] | None = None
    analytic = hasattr(module, "kl_bound_nats")
    find = analytic_places if analytic else weighed_places
    places = find(module, config, method.knob, params["kl_grid_nats"], pool.proxy_BN)
    for done, (kl_nats, knob_value) in enumerate(places):
        progress(done / len(places), "reweighting the pool")
        if knob_value is None:
            points.append({"kl_target_nats": kl_nats, "status": "unreached"})
            continue
        weight_BN = module.weights(config, ScoredPool(pool.proxy_BN), knob_value)
        drawn = draw(weight_BN, int(params["samples_per_prompt"]), rng)
        bound_nats = float(module.kl_bound_nats(config, knob_value)) if analytic else None
        point = selection_point(pool, weight_BN, bound_nats, drawn)
        furthest = float(point["kl_nats"] or 0), drawn
        point.update(kl_target_nats=kl_nats, knob_value=knob_value, status="ok")
        point.update(gradient_steps=0, tokens_processed=0)
        prompts, pool_samples = pool.gold_BN.shape
        point["samples_drawn"] = module.samples_used(config, pool_samples, knob_value) * prompts
        points.append(point)
        gold_KB.append((weight_BN * pool.gold_BN).sum(1))
        proxy_KB.append((weight_BN * pool.proxy_BN).sum(1))
    write_points(out, points, gold_KB, proxy_KB)
    shown = []
    if furthest is not None:
        kl_nats, drawn = furthest
        prompts = pool.gold_BN.shape[0]
        gold_BN = pool.gold_BN.ravel()[drawn].reshape(prompts, -1)
        proxy_BN = pool.proxy_BN.ravel()[drawn].reshape(prompts, -1)
        shown = excerpts(world, pool, pool.responses.take(drawn), gold_BN, proxy_BN, kl_nats)
    write_json(out / "excerpts.json", shown)


def weighed_places(
    module: Any, config: Any, knob: Knob, kl_grid_nats: list[float], proxy_BN: Floats
) -> list[Place]:
    """Places of a method whose KL is that of its weights, by root finding on the pool.

    Where the weights rest on fewer than ``SMALLEST_ESS`` samples of a prompt, their KL says more
    about the pool's size than about the method, and the budget is out of reach.
    """
    scored = ScoredPool(proxy_BN)

    def kl_of(value: float) -> float:
        weight_BN = module.weights(config, scored, value)
        return float(kl_listed(weight_BN, uniform(*weight_BN.shape)).mean())

    def trusted(value: float) -> bool:
        weight_BN = module.weights(config, scored, value)
        return float(1 / (weight_BN**2).sum(axis=1).mean()) >= SMALLEST_ESS

    return place(kl_of, knob, kl_grid_nats, midpoints(kl_grid_nats), 1e-6, trusted)


def analytic_places(
    module: Any, config: Any, knob: Knob, kl_grid_nats: list[float], proxy_BN: Floats
) -> list[Place]:
    """Places of a method that knows its KL, and finer ones between the budgets.

    The knob value of a budget is None where the pool is too small or the knob too coarse: when
    two budgets fall on one knob value, the nearer one keeps it.
    """
    pool_samples = proxy_BN.shape[1]
    bound = module.kl_bound_nats
    knob_of = {kl_nats: module.knob_for_kl(config, kl_nats) for kl_nats in kl_grid_nats}
    affordable = {
        value: module.samples_used(config, pool_samples, value) <= pool_samples
        for value in knob_of.values()
    }
    places: list[Place] = []
    for kl_nats, value in knob_of.items():
        rivals = [k for k, v in knob_of.items() if v == value]
        nearest = min(rivals, key=lambda k: abs(k - bound(config, value)))
        reached = nearest == kl_nats and affordable[value]
        places.append(Place(kl_nats, value if reached else None))
    taken = {one.knob_value for one in places}
    for kl_nats in midpoints(kl_grid_nats):
        between = module.knob_for_kl(config, kl_nats)
        used = module.samples_used(config, pool_samples, between)
        if used <= pool_samples and between not in taken:
            taken.add(between)
            places.append(Place(None, between))
    return sorted(
        places,
        key=lambda one: math.inf if one.knob_value is None else bound(config, one.knob_value),
    )
