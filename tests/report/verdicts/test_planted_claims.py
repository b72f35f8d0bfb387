"""Claims of papers on planted measurements: what is reported, its opposite, and noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from overopt.papers import itp2025, moskovitz2023, rpo2024, superhf2023, warm2024
from overopt.papers.contract import Arm, Paper
from overopt.report.verdicts.arms import ArmRows, Measured, SeedRows
from overopt.report.verdicts.judging import judge
from overopt.stats.arrays import Floats
from overopt.stats.exams.averages import BEST, MEMBERS, RANDOM, SHARES, WEIGHTS, WORST, at_share
from overopt.stats.exams.designs import KEPT, SHIFT, SWAPPED

from .planted import arm_rows, humped, saturating

SEEDS = 5
Planted = Callable[[float, float], Measured]
"""From the size of what is reported (negative: its opposite) and the noise to what was measured."""


def verdict(paper: Paper, claim: str, measured: Measured) -> str:
    (found,) = judge([one for one in paper.claims if one.id == claim], measured)
    return found.verdict


def noisy(claim: str, scale: float) -> Floats:
    """A number for each seed, other ones for another claim and another scale."""
    seeds = [sum(map(ord, claim)), int(1e6 * scale)]
    return scale * np.random.default_rng(seeds).normal(size=SEEDS)


def sat(marks: Callable[[int], dict[tuple[str, str], float]]) -> ArmRows:
    """Seeds that sat an exam and did nothing else."""
    none = np.zeros(0)
    seeds = [SeedRows(s, none, none, {}, None, marks=marks(s)) for s in range(SEEDS)]
    return ArmRows({0: tuple(seeds)})


def shares(gain: float, noise: float) -> Measured:
    """Averaged weights above the mean of accuracies by a gain, at every share."""

    def marks(seed: int) -> dict[tuple[str, str], float]:
        found = {}
        for share in SHARES:
            off = noisy(f"{share}", noise)[seed]
            found[SHIFT, at_share(WEIGHTS, share)] = 0.7 + gain + off
            found[SHIFT, at_share(MEMBERS, share)] = 0.7
        return found

    return {warm2024.CLEAN: sat(marks)}


def alike(gain: float, noise: float) -> Measured:
    """Averaged weights and predictions equal where the gain is .1, apart by .2 where it is not."""
    apart = 0.1 - gain
    both = warm2024.HALF_WEIGHTS, warm2024.HALF_PREDICTIONS
    off = noisy("warm-02", noise)
    marks = [{(SHIFT, both[0]): 0.7 + apart + off[s], (SHIFT, both[1]): 0.7} for s in range(SEEDS)]
    return {warm2024.CLEAN: sat(marks.__getitem__)}


def remembered(gain: float, noise: float) -> Measured:
    """Averaged weights have less of all training pairs by a gain, and more under shift."""
    weights, predictions = warm2024.HALF_WEIGHTS, warm2024.HALF_PREDICTIONS
    of_exam = {SWAPPED: -gain, KEPT: -gain, SHIFT: gain}
    off = {exam: noisy(f"warm-03 {exam}", noise) for exam in of_exam}

    def marks(seed: int) -> dict[tuple[str, str], float]:
        plain = {(exam, predictions): 0.6 for exam in of_exam}
        return plain | {
            (exam, weights): 0.6 + by + float(off[exam][seed]) for exam, by in of_exam.items()
        }

    return {warm2024.SWAPPED_LABELS: sat(marks)}


def diverse(gain: float, noise: float) -> Measured:
    """Gains of averaging that rise by a step with the members' diversity."""
    arms = (warm2024.ORDER_ALONE, warm2024.CLEAN, warm2024.BAKLAVA)

    def of(number: int) -> Callable[[int], dict[tuple[str, str], float]]:
        off = noisy(f"warm-08 {number}", noise)
        return lambda seed: {
            (SHIFT, WEIGHTS): 0.7 + number * gain + off[seed],
            (SHIFT, MEMBERS): 0.7,
        }

    return {arm: sat(of(number)) for number, arm in enumerate(arms)}


def orders(gain: float, noise: float) -> Measured:
    """Averaging from the best on above other orders by a gain."""
    off = noisy("warm-09", noise)
    marks = [
        {(SHIFT, BEST): 0.7 + gain + off[s], (SHIFT, RANDOM): 0.7, (SHIFT, WORST): 0.7}
        for s in range(SEEDS)
    ]
    return {warm2024.CLEAN: sat(marks.__getitem__)}


def with_column(rows: ArmRows, name: str, values: Callable[[SeedRows], Floats]) -> ArmRows:
    seeds = [replace(one, columns={**one.columns, name: values(one)}) for one in rows.worlds[0]]
    return replace(rows, worlds={0: tuple(seeds)})


def raised(arms: dict[Arm, float], noise: float, claim: str) -> Measured:
    """Gold that saturates, raised at every KL by a number for each arm and by seeds' noise."""
    found: dict[Arm, ArmRows] = {}
    for number, (arm, by) in enumerate(arms.items()):
        plain = arm_rows(saturating, number=number)
        off = noisy(f"{claim} {number}", noise)
        seeds = []
        for one in plain.worlds[0]:
            assert one.gain_KB is not None
            gain_KB = one.gain_KB + np.where(one.kl_K > 0, by + off[one.seed], 0.0)[:, None]
            columns = {**one.columns, "gold_mean": gain_KB.mean(axis=1)}
            seeds.append(replace(one, gain_KB=gain_KB, columns=columns))
        found[arm] = replace(plain, worlds={0: tuple(seeds)})
    return found


def searched(gain: float, noise: float) -> Measured:
    """NM-PPO above the best of five runs by a gain less .05, in a fifth of their steps."""
    arms = {moskovitz2023.NM: gain - 0.05} | dict.fromkeys(moskovitz2023.SEARCHED, 0.0)
    found = {}
    for number, (arm, rows) in enumerate(raised(arms, noise, "mos-09").items()):
        steps_S = 100.0 + 10.0 * noisy(f"mos-09 steps {number}", noise)
        found[arm] = with_column(rows, "gradient_steps", partial(past_the_start, steps_S))
    return found


def thresholds(gain: float, noise: float) -> Measured:
    joint, alone = moskovitz2023.FOUND.values()
    return raised({joint: gain, alone: 0.0}, noise, "mos-08")


def calibrated(gain: float, noise: float) -> Measured:
    """PPO's error above SuperHF's by a gain, at every KL."""
    found = {}
    for number, (arm, by) in enumerate({superhf2023.PPO: gain, superhf2023.PRIOR: 0.0}.items()):
        error_S = 0.2 + by + noisy(f"shf-04 {number}", noise)
        found[arm] = with_column(
            arm_rows(saturating, number=number), "choice_error", partial(at_every_kl, error_S)
        )
    return found


def past_the_start(value_S: Floats, one: SeedRows) -> Floats:
    return np.where(one.kl_K > 0, value_S[one.seed], 0.0)


def at_every_kl(value_S: Floats, one: SeedRows) -> Floats:
    return np.full(one.kl_K.size, value_S[one.seed])


def covered(gain: float, noise: float) -> Measured:
    """RPO's lead over DPO, growing by a gain with the share of prompts without a pair."""
    arms: dict[Arm, float] = {}
    for dose, statistic in rpo2024.UNCOVERED:
        rpo, dpo = statistic.arms
        arms |= {rpo: gain * dose, dpo: 0.0}
    return raised(arms, noise, "rpo-04")


def along_n(gain: float, noise: float) -> Measured:
    """Best-of-n falls; pessimism at n = 256 is above fewer samples by a gain."""
    counts = (4.0, 16.0, 64.0, 256.0)
    off = noisy("itp-01", noise)
    kl_K = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    knob_K = np.array([np.nan, *counts])
    none_K = np.full(kl_K.size, np.nan)
    seeds = tuple(
        SeedRows(
            seed,
            kl_K,
            none_K,
            {
                "knob_value": knob_K,
                "gold_mean": np.array([0.0, 0.5, 0.5, 0.5, 0.5 + gain + off[seed]]),
            },
            None,
        )
        for seed in range(SEEDS)
    )
    return {itp2025.BON: arm_rows(humped), itp2025.ALONG_N: ArmRows({0: seeds})}


CLAIMS: dict[str, tuple[Paper, Planted, float, float]] = {
    "warm-01": (warm2024.PAPER, shares, 0.05, 0.003),
    "warm-02": (warm2024.PAPER, alike, 0.1, 0.001),
    "warm-03": (warm2024.PAPER, remembered, 0.05, 0.003),
    "warm-08": (warm2024.PAPER, diverse, 0.05, 0.003),
    "warm-09": (warm2024.PAPER, orders, 0.05, 0.003),
    "mos-08": (moskovitz2023.PAPER, thresholds, 0.3, 0.02),
    "mos-09": (moskovitz2023.PAPER, searched, 0.3, 0.02),
    "shf-04": (superhf2023.PAPER, calibrated, 0.1, 0.01),
    "rpo-04": (rpo2024.PAPER, covered, 0.5, 0.02),
    "itp-01": (itp2025.PAPER, along_n, 0.2, 0.02),
}
"""Of each claim the paper, what is planted, the size of what is reported, and seeds' noise."""


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_reported_is_reproduced(claim: str) -> None:
    paper, planted, size, noise = CLAIMS[claim]
    assert verdict(paper, claim, planted(size, noise)) == "reproduced"


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_opposite_is_contradicted(claim: str) -> None:
    paper, planted, size, noise = CLAIMS[claim]
    assert verdict(paper, claim, planted(-size, noise)) == "contradicted"


@pytest.mark.parametrize("claim", CLAIMS)
def test_noise_is_not_resolved(claim: str) -> None:
    """Nothing but noise between seeds; of equality, noise that hides it."""
    paper, planted, size, noise = CLAIMS[claim]
    null = size if claim == "warm-02" else 0.0
    found = verdict(paper, claim, planted(null, 20.0 * noise))
    assert found == "not resolved at this scale"
