"""Readable samples: the same prompt answered by the initial policy and by an optimized one."""

from __future__ import annotations

import numpy as np

from overopt.artifacts.points import Floats, Pool
from overopt.worlds.contract import World, render
from overopt.worlds.tokens import Tokens

_EXCERPTS = 6


def excerpts(
    world: World,
    pool: Pool,
    responses: Tokens,
    gold_BN: Floats,
    proxy_BN: Floats,
    kl_nats: float,
) -> list[dict[str, str | float]]:
    """Initial and optimized responses to the same prompts, those with the widest gap first.

    Of each prompt the sample with the largest proxy - gold is shown beside a typical response of
    the initial policy (the one of median gold among those scored); prompts are spread evenly over
    the quantiles of that gap, so that what is shown is neither the best nor the worst case only.
    ``kl_nats`` says how far the policy is that is shown.
    """
    prompts, samples = gold_BN.shape
    row_B = np.arange(prompts)
    hacked_B = (proxy_BN - gold_BN).argmax(axis=1)
    pool_samples = pool.gold_BN.shape[1]
    scored_BN = pool.gold_BN[:, : pool.scored]
    typical_B = np.argsort(scored_BN, axis=1, kind="stable")[:, pool.scored // 2]
    gap_B = (proxy_BN - gold_BN)[row_B, hacked_B]
    order = np.argsort(-gap_B, kind="stable")
    chosen = order[np.linspace(0, prompts - 1, min(_EXCERPTS, prompts)).astype(int)]
    prompt_text = render(world, world.heldout_prompts.take(chosen))
    hacked_text = render(world, responses.take(chosen * samples + hacked_B[chosen]))
    initial_text = render(world, pool.responses.take(chosen * pool_samples + typical_B[chosen]))
    return [
        {
            "prompt": prompt_text[i],
            "initial": initial_text[i],
            "hacked": hacked_text[i],
            "gold_initial": float(pool.gold_BN[b, typical_B[b]]),
            "gold_hacked": float(gold_BN[b, hacked_B[b]]),
            "proxy_initial": float(pool.proxy_BN[b, typical_B[b]]),
            "proxy_hacked": float(proxy_BN[b, hacked_B[b]]),
            "kl_nats": kl_nats,
        }
        for i, b in enumerate(chosen)
    ]
