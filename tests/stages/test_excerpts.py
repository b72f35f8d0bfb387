"""What is shown beside what."""

from __future__ import annotations

import numpy as np

from overopt.artifacts.points import Pool
from overopt.spec.world import WorldSpec
from overopt.stages.shown.excerpts import excerpts
from overopt.worlds.contract import build, render

from .hand_made import texts


def test_the_widest_gap_is_shown_beside_a_typical_text_of_the_same_prompt() -> None:
    world = build(WorldSpec(kind="tabular", seed=0, train_prompts=8, heldout_prompts=2))
    pool_gold_BN = np.array([[5.0, 1.0, 3.0], [0.0, 2.0, 1.0]])  # medians: samples 2 and 2
    pool = Pool(
        gold_BN=pool_gold_BN,
        proxy_BN=10 + pool_gold_BN,
        reference_logp_BN=np.zeros((2, 3)),
        responses=texts([[4], [5], [6], [7], [8], [4, 4]]),
        gold_mean=0.0,
        gold_sd=1.0,
        proxy_offset=0.0,
    )
    gold_BN = np.array([[0.0, -1.0], [0.0, 0.0]])
    proxy_BN = np.array([[1.0, 2.0], [9.0, 1.0]])  # widest: sample 1 (gap 3) and 0 (gap 9)
    shown = excerpts(world, pool, texts([[4, 5], [5, 5], [6, 6], [7, 7]]), gold_BN, proxy_BN, 2.5)
    prompts = render(world, world.heldout_prompts)
    words = dict(zip(range(4, 9), world.vocabulary[4:], strict=True))
    assert shown == [
        {
            "prompt": prompts[1],
            "initial": f"{words[4]} {words[4]}",
            "hacked": f"{words[6]} {words[6]}",
            "gold_initial": 1.0,
            "gold_hacked": 0.0,
            "proxy_initial": 11.0,
            "proxy_hacked": 9.0,
            "kl_nats": 2.5,
        },
        {
            "prompt": prompts[0],
            "initial": words[6],
            "hacked": f"{words[5]} {words[5]}",
            "gold_initial": 3.0,
            "gold_hacked": -1.0,
            "proxy_initial": 13.0,
            "proxy_hacked": 2.0,
            "kl_nats": 2.5,
        },
    ]


def test_many_prompts_are_shown_evenly_over_their_gaps() -> None:
    world = build(WorldSpec(kind="tabular", seed=0, train_prompts=8, heldout_prompts=51))
    gold_BN = np.zeros((51, 1))
    gap_B1 = np.random.default_rng(0).permutation(51).astype(float)[:, None]
    pool = Pool(gold_BN, gold_BN, gold_BN, texts([[4]] * 51), 0.0, 1.0, 0.0)
    shown = excerpts(world, pool, texts([[5]] * 51), gold_BN, gap_B1, 1.0)
    assert [one["proxy_hacked"] for one in shown] == [50.0, 40.0, 30.0, 20.0, 10.0, 0.0]
