"""Points of the selection family: the initial policy's pool, reweighted by the method.

Every quantity is an expectation under the method's weights over the pool; nothing is trained.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.catalog import load_module
from overopt.methods.contract import ScoredPool
from overopt.spec import MethodSpec, ProxySystemSpec, WorldSpec
from overopt.stages.contract import Progress
from overopt.stages.excerpts import excerpts
from overopt.stages.measure import initial_point, write_points
from overopt.stages.own_file import locate_own
from overopt.stages.points import (
    Floats,
    Point,
    Pool,
    System,
    distinct_n,
    estimate,
    ranking,
    read_pool,
)
from overopt.stages.randomness import numpy_rng
from overopt.stages.tables import write_json
from overopt.stats.best_of_n import kl_pool
from overopt.stats.kl import Estimate, clustered_mean
from overopt.worlds.contract import build


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
    pool: Pool, weight_BN: Floats, kl_bound_nats: float, drawn: npt.NDArray[np.int64]
) -> Point:
    """Everything measured on one reweighted pool; ``drawn`` are rows drawn from the weights."""
    prompts, pool_samples = weight_BN.shape
    kl_B = kl_pool(weight_BN)
    estimated = clustered_mean(kl_B[:, None])
    point: Point = {
        "kl_nats": kl_bound_nats,
        "kl_se": 0.0,
        "kl_estimator": "bound",
        "kl_bound_nats": kl_bound_nats,
        "kl_pool_nats": estimated.mean,
        "kl_pool_se": estimated.se,
    }
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
        estimate(point, f"distinct_{order}", distinct_n(responses, prompts, order), "")
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
    places = _places(module, config, params["kl_grid_nats"], pool.gold_BN.shape[1])
    for done, (kl_nats, knob_value) in enumerate(places):
        progress(done / len(places), "reweighting the pool")
        if knob_value is None:
            points.append({"kl_target_nats": kl_nats, "status": "unreached"})
            continue
        weight_BN = module.weights(config, ScoredPool(pool.proxy_BN), knob_value)
        drawn = draw(weight_BN, int(params["samples_per_prompt"]), rng)
        bound_nats = float(module.kl_bound_nats(config, knob_value))
        furthest = bound_nats, drawn
        point = selection_point(pool, weight_BN, bound_nats, drawn)
        point.update(kl_target_nats=kl_nats, knob_value=knob_value, status="ok")
        point.update(gradient_steps=0, tokens_processed=0)
        point["samples_drawn"] = int(knob_value) * pool.gold_BN.shape[0]
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


def _places(
    module: Any, config: Any, kl_grid_nats: list[float], pool_samples: int
) -> list[tuple[float | None, float | None]]:
    """Where to measure: (budget, knob value), and finer places between budgets (None, knob value).

    The knob value of a budget is None where the pool is too small or the knob too coarse: when
    two budgets fall on one knob value, the nearer one keeps it.
    """
    bound = module.kl_bound_nats
    knob_of = {kl_nats: module.knob_for_kl(config, kl_nats) for kl_nats in kl_grid_nats}
    places: list[tuple[float | None, float | None]] = []
    for kl_nats, value in knob_of.items():
        rivals = [k for k, v in knob_of.items() if v == value]
        nearest = min(rivals, key=lambda k: abs(k - bound(config, value)))
        reached = nearest == kl_nats and value <= pool_samples
        places.append((kl_nats, value if reached else None))
    taken = {value for _, value in places}
    for low, high in pairwise(kl_grid_nats):
        between = module.knob_for_kl(config, ((low**0.5 + high**0.5) / 2) ** 2)
        if between <= pool_samples and between not in taken:
            taken.add(between)
            places.append((None, between))
    return sorted(places, key=lambda place: math.inf if place[1] is None else place[1])
