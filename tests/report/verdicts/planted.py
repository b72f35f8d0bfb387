"""Arms with curves that are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from overopt.report.verdicts.arms import Arm, ArmRows, SeedRows

BUDGETS = (0.5, 1.0, 2.0, 4.0, 6.0, 9.0)
PROMPTS = 24


def arm_rows(
    gold: Callable[[float], float],
    proxy: Callable[[float], float] = lambda d: d,
    *,
    number: int = 0,
    seeds: int = 5,
    budgets: tuple[float, ...] = BUDGETS,
    noise: float = 0.01,
    prompts: bool = True,
) -> ArmRows:
    """Seeds whose gold and proxy are functions of sqrt(KL), with a little noise by prompt."""
    rows = tuple(
        _seed(seed, gold, proxy, np.random.default_rng((number, seed)), budgets, noise, prompts)
        for seed in range(seeds)
    )
    return ArmRows({0: rows}, "rb", ("reviews/planted/run",))


def _seed(
    seed: int,
    gold: Callable[[float], float],
    proxy: Callable[[float], float],
    generator: np.random.Generator,
    budgets: tuple[float, ...],
    noise: float,
    prompts: bool,
) -> SeedRows:
    kl_K = np.array([0.0, *budgets])
    d_K = np.sqrt(kl_K)
    gain_KB = np.array([gold(d) for d in d_K])[:, None] + generator.normal(
        0.0, noise, (kl_K.size, PROMPTS)
    )
    gain_KB[0] = 0.0
    columns = {
        "kl_nats": kl_K,
        "gold_mean": gain_KB.mean(axis=1),
        "proxy_mean": np.array([proxy(d) for d in d_K]),
        "step": np.sqrt(kl_K) * 10.0,
        "knob_value": np.full(kl_K.size, np.nan),
        "kl_k1_nats": 1.1 * kl_K,
        "auroc": np.linspace(0.7, 0.5, kl_K.size),
    }
    target_K = np.array([np.nan, *budgets])
    return SeedRows(seed, kl_K, target_K, columns, gain_KB if prompts else None)


def humped(d: float) -> float:
    """Rises to 1 at d = 2, and is 0.75 at d = 3."""
    return d * (1.0 - d / 4.0)


def saturating(d: float) -> float:
    """Rises and stays."""
    return 1.0 - float(np.exp(-d))


HUMPED, STEADY, HIGHER = Arm("bon"), Arm("bon", proxy="wco"), Arm("bon", proxy="uwo")
