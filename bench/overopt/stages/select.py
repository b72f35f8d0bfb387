"""Points of the selection family: the initial policy's pool, reweighted by the method.

Every quantity is an expectation under the method's weights over the pool; no policy is trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.listing import Listing, read_listing
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.points import (
    FRESH,
    Exact,
    Floats,
    Point,
    Pool,
    distinct_n,
    estimate,
    initial_point,
    ranking,
    read_pool,
    write_exact,
    write_points,
)
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.scored_pools import read_scored
from overopt.artifacts.spending import spent_beside
from overopt.artifacts.tables import write_json
from overopt.engines.method.loading import open_as
from overopt.engines.method.selection import OpenedSelection
from overopt.engines.proxy import OpenedProxy
from overopt.engines.selection import Selection, find_places, tuned
from overopt.execution.contract import Progress
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec
from overopt.stages.shown.excerpts import excerpts
from overopt.stats.kl import Estimate, clustered_mean
from overopt.stats.pools.listed import effective_samples, kl_listed
from overopt.worlds.contract import world_of


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
    pool: Pool, weight_BN: Floats, kl_B: Floats, drawn: npt.NDArray[np.int64]
) -> Point:
    """Everything measured on one reweighted pool.

    Args:
        pool: samples of the initial policy.
        weight_BN: weights over them for the mean of anything.
        kl_B: KL of the policy of each prompt, nats.
        drawn: rows drawn from the weights, for what needs samples.
    """
    prompts, pool_samples = weight_BN.shape
    kl = clustered_mean(kl_B[:, None])
    point: Point = {"kl_pool_nats": kl.mean, "kl_pool_se": kl.se}
    point.update(kl_nats=kl.mean, kl_se=kl.se, kl_estimator="pool")
    gold = _weighted(pool.gold_BN, weight_BN)
    estimate(point, "gold", gold)
    gain_BN = pool.gold_BN - pool.gold_BN.mean(1, keepdims=True)
    point["gold_gain_se"] = _weighted(gain_BN, weight_BN).se
    estimate(point, "proxy", _weighted(pool.proxy_BN, weight_BN))
    estimate(point, "win_rate", _weighted(_win_chance(pool), weight_BN), "")
    length_BN = pool.responses.length_N.reshape(prompts, pool_samples).astype(np.float64)
    estimate(point, "length", _weighted(length_BN, weight_BN))
    # log pi = log pi_ref + log(pi / pi_ref), so that the entropy is -E log pi_ref - KL.
    entropy_B1 = -(weight_BN * pool.reference_logp_BN).sum(1, keepdims=True) - kl_B[:, None]
    estimate(point, "entropy", clustered_mean(entropy_B1), "_nats")
    point["ess"] = effective_samples(weight_BN)
    if point["ess"] >= FRESH * len(drawn) / prompts:
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
    point["n_prompts"], point["n_samples"] = prompts, pool.gold_BN.size
    return point


def _listed(policy_BR: Floats, listing: Listing) -> Floats:
    """The exact proxy of a policy over every response, (B,)."""
    return np.asarray((policy_BR * listing.proxy_BR).sum(axis=1), np.float64)


def sum_listed(listing: Listing, policy_BR: Floats) -> Exact:
    """The exact KL and gold of a policy over every response."""
    return Exact(
        kl_listed(policy_BR, listing.reference_BR),
        (policy_BR * listing.gold_BR).sum(axis=1),
        (listing.reference_BR * listing.gold_BR).sum(axis=1),
    )


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Measure a selection method at every budget that its knob can meet within the pool.

    Budgets are met by the KL of the method's policy: exact where the world lists its responses,
    else with the pool standing for the initial policy. A method that tunes itself does so by gold
    of the other half of the prompts.

    params: ``method`` (MethodSpec), ``system`` (ProxySystemSpec), ``kl_grid_nats``,
    ``samples_per_prompt`` (for what needs drawn samples), ``seed``.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    seed = int(params["seed"])
    opened = open_as(OpenedSelection, method)
    selection = Selection(opened, lambda: numpy_rng(seed, "draws", method.name))
    spec = ProxySystemSpec.model_validate(params["system"])
    system = open_as(OpenedProxy, locate_own(spec, inputs))
    world = world_of(params)
    pool = read_pool(inputs, system)
    listing = read_listing(inputs, system, pool)
    sampled, listed = read_scored(inputs, method.needs, world, pool, listing)
    if opened.tunes:
        scored = sampled if listed is None else listed
        gold_BN = pool.gold_BN if listing is None else listing.gold_BR
        limits = tuned(opened, method.knob, scored, gold_BN)
        selection = selection.limited(limits)
        write_json(out / "tuned.json", {"knob": limits.knob_B.tolist()})
    trained = spent_beside(inputs, "novelty")
    points = [initial_point(pool, int(params["samples_per_prompt"]))]
    gold_KB, proxy_KB = [pool.gold_BN.mean(1)], [pool.proxy_BN.mean(1)]
    rng = numpy_rng(seed, "select", method.name)
    furthest: tuple[float, npt.NDArray[np.int64]] | None = None
    places = find_places(selection, method.knob, params["kl_grid_nats"], sampled, listed)
    for done, (kl_nats, knob_value) in enumerate(places):
        progress(done / len(places), "reweighting the pool")
        if knob_value is None:
            points.append({"kl_target_nats": kl_nats, "status": "unreached"})
            continue
        weight_BN = selection.weights(sampled, knob_value)
        drawn = draw(weight_BN, int(params["samples_per_prompt"]), rng)
        point = selection_point(pool, weight_BN, selection.kl(sampled, knob_value), drawn)
        bound_nats = selection.kl_bound_nats(knob_value)
        if bound_nats is not None:
            point["kl_bound_nats"] = bound_nats
        exact: Exact | None = None
        if listing is not None and listed is not None and selection.knows_policy:
            policy_BR = selection.policy(listed, knob_value)
            exact = sum_listed(listing, policy_BR)
            write_exact(point, exact, pool)
            gold_KB[0], proxy_KB[0] = exact.start_B, _listed(listing.reference_BR, listing)
            proxy_B = _listed(policy_BR, listing)
            estimate(point, "proxy", clustered_mean((proxy_B - proxy_KB[0].mean())[:, None]))
        furthest = float(point["kl_nats"] or 0), drawn
        point.update(kl_target_nats=kl_nats, knob_value=knob_value, status="ok")
        point.update(trained._asdict())
        answering = selection.samples_drawn(sampled, knob_value)
        point["samples_drawn"] = trained.samples_drawn + answering
        points.append(point)
        if exact is None:
            proxy_B = (weight_BN * pool.proxy_BN).sum(1)
        gold_KB.append((weight_BN * pool.gold_BN).sum(1) if exact is None else exact.gold_B)
        proxy_KB.append(proxy_B)
    write_points(out, points, gold_KB, proxy_KB)
    shown = []
    if furthest is not None:
        kl_nats, drawn = furthest
        prompts = pool.gold_BN.shape[0]
        gold_BN = pool.gold_BN.ravel()[drawn].reshape(prompts, -1)
        proxy_BN = pool.proxy_BN.ravel()[drawn].reshape(prompts, -1)
        shown = excerpts(world, pool, pool.responses.take(drawn), gold_BN, proxy_BN, kl_nats)
    write_json(out / "excerpts.json", shown)
