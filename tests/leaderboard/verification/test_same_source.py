"""The test of a source: exact where the source is the same, powerful where it is not."""

from __future__ import annotations

import os

import numpy as np
import pytest

from overopt.leaderboard.verification.same_source import Drawn, judge_source

TIMES = int(os.environ.get("SIMULATION_TIMES", "1"))
BOUND_SD = 3.5


def draw(
    rng: np.random.Generator, tilt: float = 0.0, pick: int = 1, prompts: int = 8, samples: int = 16
) -> Drawn:
    """Responses of three tokens out of four, with gold; ``pick``: the best of so many is kept."""
    logit_BTV = np.random.default_rng(7).normal(size=(prompts, 3, 4))
    logit_BTV[:, :, 0] += tilt
    chance_BTV = np.exp(logit_BTV) / np.exp(logit_BTV).sum(axis=2, keepdims=True)
    edge_BTV = chance_BTV.cumsum(axis=2)
    u_BNT1 = rng.random((prompts, samples * pick, 3, 1))
    ids_BNT = (u_BNT1 > edge_BTV[:, None]).sum(axis=3).clip(max=3)
    gold_BN = ids_BNT.sum(axis=2).astype(float)
    logp_BN = np.log(np.take_along_axis(
        np.broadcast_to(chance_BTV[:, None], (*ids_BNT.shape, 4)), ids_BNT[..., None], 3
    )).sum(axis=(2, 3))  # fmt: skip
    if pick > 1:
        best_BN = gold_BN.reshape(prompts, samples, pick).argmax(axis=2)
        index_BN = best_BN + np.arange(samples) * pick
        ids_BNT = np.take_along_axis(ids_BNT, index_BN[..., None], 1)
        gold_BN, logp_BN = (np.take_along_axis(one, index_BN, 1) for one in (gold_BN, logp_BN))
    return Drawn(ids_BNT.astype(np.int32), np.stack([gold_BN, logp_BN]))


def rejections(times: int, level: float, fresh: int = 16, **other: float) -> int:
    rng = np.random.default_rng(11)
    found = 0
    for _ in range(times):
        forged = draw(rng, **other), draw(rng, samples=fresh)  # type: ignore[arg-type]
        pairs = [forged, (draw(rng), draw(rng, samples=fresh))]
        found += judge_source(pairs, rng, deals=199).p <= level
    return found


def test_the_statistic_by_hand() -> None:
    """One prompt, two samples a side: a a | b b, kernel 1 where equal.

    MMD^2 = (2 + 2) / 2 ... : s'Ks = 4 + 4 over N^2 = 4 is 2. Of the six deals two are the extreme.
    """
    one = Drawn(np.array([[[1], [1]]], np.int32), np.zeros((0, 1, 2)))
    other = Drawn(np.array([[[2], [2]]], np.int32), np.zeros((0, 1, 2)))
    told = judge_source([(one, other)], np.random.default_rng(0), deals=6000)
    assert told.p == pytest.approx(1 / 3, abs=0.03)
    # dealt: 2 with chance 1/3, else 0: mean 2/3, SD sqrt(8/9)
    assert told.z == pytest.approx((2 - 2 / 3) / (8 / 9) ** 0.5, abs=0.05)
    assert (told.policy, told.statistic) == (0, 0)


def test_false_alarms_keep_the_level() -> None:
    times = 60 * TIMES
    for level in (0.05, 0.2):
        bound = times * level + BOUND_SD * (times * level * (1 - level)) ** 0.5
        assert rejections(times, level) <= bound


def test_false_alarms_keep_the_level_with_more_samples_of_ours() -> None:
    times = 60 * TIMES
    bound = times * 0.05 + BOUND_SD * (times * 0.05 * 0.95) ** 0.5
    assert rejections(times, 0.05, fresh=64) <= bound


def test_another_policy_is_found() -> None:
    assert rejections(20 * TIMES, 0.01, tilt=2.0) >= 19 * TIMES


def test_picked_samples_are_found() -> None:
    assert rejections(20 * TIMES, 0.01, pick=2) >= 19 * TIMES


def test_identical_samples_are_no_alarm() -> None:
    rng = np.random.default_rng(3)
    one = draw(rng)
    assert judge_source([(one, one)], rng, deals=99).p > 0.5


def test_shapes_must_fit() -> None:
    rng = np.random.default_rng(3)
    with pytest.raises(ValueError, match="differ in shape"):
        judge_source([(draw(rng), draw(rng, prompts=4))], rng)
    with pytest.raises(ValueError, match="no policy"):
        judge_source([], rng)
