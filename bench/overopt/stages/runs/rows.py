"""Samples of one policy with KL and rewards, whatever trained it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedModel

from overopt.artifacts.points import distinct_n
from overopt.artifacts.randomness import torch_rng
from overopt.models.logprobs import kl_statistics
from overopt.models.sampling import sample, stop_ids
from overopt.stats.kl import clustered_mean, k1, k2, k3
from overopt.worlds.contract import Gold
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]
Measures = dict[str, float | int | str | None]


class Rewards(NamedTuple):
    """What scores the samples; gold may be missing."""

    proxy: Gold
    gold: Gold | None


class Draw(NamedTuple):
    """How a policy is sampled: N samples per prompt of at most so many tokens, from a seed."""

    samples_per_prompt: int
    max_new_tokens: int
    seed: int


class PolicyRows(NamedTuple):
    """B prompts, N samples of a policy each.

    kl_rb_BN: Rao-Blackwellized KL from the reference, nats. log_ratio_BN: log p/q of the whole
    response, nats. entropy_BN: nats. proxy_BN, gold_BN: raw rewards. length_BN: tokens, the end
    included. ended_BN: whether the response ends by itself.
    """

    kl_rb_BN: Floats
    log_ratio_BN: Floats
    entropy_BN: Floats
    proxy_BN: Floats
    gold_BN: Floats | None
    length_BN: Floats
    ended_BN: Floats
    responses: Tokens


def measure_rows(
    policy: PreTrainedModel,
    reference: PreTrainedModel,
    prompts: Tokens,
    rewards: Rewards,
    draw: Draw,
    step: int,
) -> PolicyRows:
    """Sample a policy at temperature 1 and measure every sample.

    The random numbers depend on the seed and the step only, as those of an evaluation inside
    ``bench run`` do; the global random state is not touched.

    Args:
        policy: the policy p.
        reference: the policy q that training started from.
        prompts: B prompts.
        rewards: proxy and gold.
        draw: how many samples, how long, and the seed.
        step: the training step of the policy.
    """
    drawn = sample(
        policy,
        prompts,
        draw.samples_per_prompt,
        draw.max_new_tokens,
        torch_rng(draw.seed, "evaluate", step),
    ).responses
    shape = (prompts.rows(), draw.samples_per_prompt)
    repeated = prompts.take(np.repeat(np.arange(prompts.rows()), draw.samples_per_prompt))
    kl = kl_statistics(policy, reference, repeated, drawn)
    log_ratio_N = kl.policy_logp_NT.sum(1, dtype=np.float64) - kl.reference_logp_NT.sum(
        1, dtype=np.float64
    )
    gold = rewards.gold
    return PolicyRows(
        kl_rb_BN=kl.rb_N.reshape(shape),
        log_ratio_BN=log_ratio_N.reshape(shape),
        entropy_BN=kl.entropy_N.reshape(shape),
        proxy_BN=rewards.proxy(repeated, drawn).reshape(shape),
        gold_BN=None if gold is None else gold(repeated, drawn).reshape(shape),
        length_BN=drawn.length_N.reshape(shape).astype(np.float64),
        ended_BN=drawn.ends_with(tuple(stop_ids(policy))).reshape(shape).astype(np.float64),
        responses=drawn,
    )


def summarize(rows: PolicyRows, step: int, stops: tuple[int, ...]) -> Measures:
    """Means over prompts with their standard errors: a line of a log that ``bench measure`` reads.

    k3 is left out where q/p overflows.
    """
    rb = clustered_mean(rows.kl_rb_BN)
    found: Measures = {
        "step": step,
        "kl_nats": rb.mean,
        "kl_se_nats": rb.se,
        "kl_estimator": "rb",
        "kl_k1_nats": clustered_mean(k1(rows.log_ratio_BN)).mean,
        "kl_k2_nats": clustered_mean(k2(rows.log_ratio_BN)).mean,
        "kl_k3_nats": _k3(rows.log_ratio_BN),
    }
    for name, values in (
        ("proxy", rows.proxy_BN),
        ("gold", rows.gold_BN),
        ("length_mean", rows.length_BN),
        ("entropy_nats", rows.entropy_BN),
        ("ended_share", rows.ended_BN),
    ):
        if values is not None:
            mean = clustered_mean(values)
            found[name], found[f"{name}_se"] = mean.mean, mean.se
    for order in (1, 2):
        distinct = distinct_n(rows.responses, len(rows.length_BN), order, stops)
        found[f"distinct_{order}"] = None if distinct is None else distinct.mean
    found["n_prompts"], found["n_samples"] = rows.length_BN.shape[0], rows.length_BN.size
    return found


def spread(rows: PolicyRows) -> Measures:
    """Standard deviations over all samples of the initial policy, the units of proxy and gold."""
    found: Measures = {}
    for name, values in (("proxy_sd", rows.proxy_BN), ("gold_sd", rows.gold_BN)):
        if values is not None and values.size > 1 and values.std() > 0:
            found[name] = float(values.std())
    return found


def _k3(log_ratio_BN: Floats) -> float | None:
    try:
        return clustered_mean(k3(log_ratio_BN)).mean
    except ValueError:
        return None
