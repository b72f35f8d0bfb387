"""Samples of a method that reweights the initial policy's pool: drawn from its weights once more.

The stage keeps no weights, which are as many as the pool. They follow from the stored pool, its
scores and the knob; the draws follow from the seed, and are the ones that the stage made.
"""

from __future__ import annotations

import numpy as np

from overopt.artifacts.listing import read_listing
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.points import read_pool
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.scored_pools import read_scored
from overopt.artifacts.tables import Table, read_json
from overopt.engines.method.loading import open_as
from overopt.engines.method.selection import OpenedSelection
from overopt.engines.proxy import OpenedProxy
from overopt.engines.selection import Limits, Selection
from overopt.leaderboard.submission.evidence.contract import Evidence, Made, by_prompt
from overopt.leaderboard.submission.pages import Samples
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec
from overopt.stages.select import draw, sum_listed
from overopt.worlds.contract import world_of

_SAME = 1e-9


def gather(made: Made) -> Evidence:
    """Samples of every measured place along the knob.

    Raises:
        ValueError: the weights do not give the KL and the gold that the stage stored.
    """
    method = locate_own(MethodSpec.model_validate(made.params["method"]), made.inputs)
    seed = int(made.params["seed"])
    opened = open_as(OpenedSelection, method)
    selection = Selection(opened, lambda: numpy_rng(seed, "draws", method.name))
    spec = ProxySystemSpec.model_validate(made.params["system"])
    system = open_as(OpenedProxy, locate_own(spec, made.inputs))
    pool = read_pool(made.inputs, system)
    listing = read_listing(made.inputs, system, pool)
    world = world_of(made.params)
    sampled, listed = read_scored(made.inputs, method.needs, world, pool, listing)
    if opened.tunes:
        knob_B = np.asarray(read_json(made.folder / "tuned.json")["knob"], np.float64)
        selection = selection.limited(Limits(knob_B, method.knob.raises_kl))
    scales = pool.gold_mean, pool.gold_sd, pool.proxy_offset
    places = made.measured[1:]
    if not places:
        return Evidence(None, *scales, {})
    table = Table(made.inputs["pool"] / "samples.parquet")
    samples_per_prompt = int(made.params["samples_per_prompt"])
    rng = numpy_rng(seed, "select", method.name)
    gold_KB, proxy_KB = by_prompt(made)
    kl_KB, drawn, points = np.zeros_like(gold_KB), [], []
    for k, (row, point) in enumerate(places, start=1):
        value = point["knob_value"]
        assert isinstance(value, int | float)
        weight_BN = selection.weights(sampled, float(value))
        drawn.append(draw(weight_BN, samples_per_prompt, rng))
        points.append(np.full(len(drawn[-1]), row, np.int32))
        if listing is not None and listed is not None and selection.knows_policy:
            exact = sum_listed(listing, selection.policy(listed, float(value)))
            kl_KB[k], gold_B = exact.kl_B, exact.gold_B
        else:
            kl_KB[k] = selection.kl(sampled, float(value))
            gold_B = (weight_BN * pool.gold_BN).sum(axis=1)
        kl_nats = point["kl_nats"]
        assert isinstance(kl_nats, int | float)
        if abs(kl_KB[k].mean() - kl_nats) > _SAME or np.abs(gold_B - gold_KB[k]).max() > _SAME:
            raise ValueError(f"point {row}: the weights do not give its KL and gold again")
    index_R = np.concatenate(drawn)
    prompts = gold_KB.shape[1]
    each = np.arange(prompts * samples_per_prompt)
    empty = np.zeros(0)
    samples = Samples(
        point=np.concatenate(points),
        prompt_id=np.tile((each // samples_per_prompt).astype(np.int32), len(places)),
        sample_id=np.tile((each % samples_per_prompt).astype(np.int32), len(places)),
        responses=pool.responses.take(index_R),
        reference_logp=table.floats("reference_logp")[index_R],
        gold=table.floats("gold")[index_R],
        proxy=pool.proxy_BN.ravel()[index_R] + pool.proxy_offset,
        measured_K=np.array([row for row, _ in made.measured], np.int32),
        prompt_gold_KB=gold_KB,
        prompt_proxy_KB=proxy_KB,
        prompt_kl_KB=kl_KB,
        policy_logp=empty,
        kl_rb=empty,
        entropy=empty,
    )
    return Evidence(samples, *scales, {})
