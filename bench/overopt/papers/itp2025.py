"""Huang et al. 2025, "Is Best-of-N the Best of Them? Coverage, Scaling, and Optimality in
Inference-Time Alignment".

Theorems and algorithm are quoted from notes; their numbers were not verified.
"""

from __future__ import annotations

from functools import cache
from math import log2

import numpy as np

from overopt.papers.contract import (
    All,
    Apart,
    Arm,
    AtKnob,
    Checked,
    Claim,
    Computed,
    ComputedFigure,
    ComputedLine,
    Exact,
    Figure,
    Gold,
    Grid,
    Hump,
    LevelFigure,
    Minus,
    NoWorse,
    Paper,
    Positive,
    more,
)
from overopt.stats.arrays import Floats
from overopt.stats.pools.listed import uniform

BON, ITP = Arm("bon"), Arm("itp")
ALONG_N = Arm("itp-n")
FEWER, MOST = (4, 16, 64), 256
"""Samples behind the threshold, and as many to choose from."""
LEAD = Minus(Gold(ITP), Gold(BON))
CHECKED = {name: Arm(name, task="arithmetic") for name in ("bon", "itp")}
"""Where gold is mostly whether the answer is right."""
ERRORS = (1.0, 1.4, 2.0, 2.8)
"""Root mean square error of the estimated reward, in SDs of the true one."""


def at(n: int) -> AtKnob:
    """Gold of pessimism with n samples."""
    return AtKnob(ALONG_N, "gold_mean", float(n))


def weights_have_mean_one() -> Checked:
    """relu((r - lambda) / beta) averages 1 under the reference; its limits are uniform and greedy.

    The deviation is the largest of three: of the mean from 1 over ten values of beta, of the
    policy from the reference at beta = 1e6, and of the best response's probability from 1 at 1e-6.
    """
    from overopt.methods.contract.selection import ScoredPool
    from overopt.methods.math.pessimism import thresholds
    from overopt.methods.selection import itp

    generator, worst = np.random.default_rng(0), 0.0
    proxy = generator.normal(size=(8, 120))
    reference = generator.dirichlet(np.ones(120), size=8)
    pool = ScoredPool(proxy, reference)
    for beta in 10.0 ** np.linspace(-3.0, 2.0, 10):
        excess = np.maximum(proxy - thresholds(proxy, reference, float(beta)), 0.0) / beta
        worst = max(worst, float(np.abs((reference * excess).sum(axis=1) - 1.0).max()))
        policy = itp.weights(itp.Config(), pool, float(beta))
        worst = max(worst, float(np.abs(policy - reference * excess).max()))
    flat = itp.weights(itp.Config(), pool, 1e6)
    greedy = itp.weights(itp.Config(), pool, 1e-6)
    best = greedy[np.arange(8), proxy.argmax(axis=1)]
    worst = max(worst, float(np.abs(flat - reference).max()), float(np.abs(best - 1.0).max()))
    return Checked(worst <= 1e-5, worst, 1e-5, "8 prompts with 120 listed responses each")


@cache
def best_betas() -> Floats:
    """The best beta for each error of the estimated reward, of 6 random instances, (6, 4).

    True rewards are normal, the estimate adds t error of 3 degrees of freedom; 100 prompts with 300
    responses each. With normal error there is no best beta: the expected true reward grows with the
    estimate, so that the smallest is always best.

    Raises:
        ValueError: the best beta lies at an end of the range that is searched.
    """
    from overopt.methods.contract.selection import ScoredPool
    from overopt.methods.selection import itp

    found = []
    grid = np.exp(np.linspace(np.log(1e-2), np.log(1e2), 40))
    for instance in range(6):
        generator = np.random.default_rng(instance)
        true = generator.normal(size=(100, 300))
        error = generator.standard_t(3, size=true.shape) / np.sqrt(3.0)
        best = []
        for scale in ERRORS:
            pool = ScoredPool(true + scale * error, uniform(100, 300))
            reward = [
                float((itp.weights(itp.Config(), pool, float(b)) * true).sum(axis=1).mean())
                for b in grid
            ]
            top = int(np.argmax(reward))
            if top in (0, len(grid) - 1):
                raise ValueError(f"the best beta is at an end of the range, at error {scale:g}")
            best.append(float(np.log(grid[top])))
        found.append(np.exp(best))
    return np.stack(found)


def best_beta_exponents() -> list[float]:
    """Exponent of the best beta in the error of the estimated reward, by instance."""
    return [float(np.polyfit(np.log(ERRORS), np.log(one), 1)[0]) for one in best_betas()]


def exponents_apart() -> list[float]:
    """Exponent of pessimism's least regret in the error less that of best-of-N's, by instance."""
    from overopt.papers.enumerated.regret import INSTANCES, exponents

    pairs = [exponents(seed) for seed in range(INSTANCES)]
    return [pessimism - best_of_n for best_of_n, pessimism in pairs]


CLAIMS = (
    Claim(
        "itp-01",
        "gold of best-of-N peaks and falls in N, that of inference-time pessimism does not",
        "GSM8K, MATH and others with Phi-3-mini",
        "experiments (from notes)",
        All((Hump(BON), *(NoWorse(Minus(at(MOST), at(n)), 0.05) for n in FEWER))),
        figure="samples",
    ),
    Claim(
        "itp-02",
        "weights relu((r - lambda) / beta) average 1; a large beta is the reference, a small one "
        "the best response",
        "the algorithm",
        "algorithm (number not verified)",
        Exact(weights_have_mean_one, "mean 1 and both limits, on listed responses"),
    ),
    Claim(
        "itp-03",
        "the best beta grows with the error of the estimated reward relative to coverage",
        "beta* about sqrt(error^2 / C), so that its exponent in the error is 1",
        "theorem (number not verified)",
        Computed(
            best_beta_exponents, "exponent of the best beta in the error, random instances", 0.0
        ),
        figure="best-beta",
    ),
    Claim(
        "itp-04",
        "regret falls slower in the error for best-of-N at its best N than for pessimism",
        "error^(2/3) against sqrt(C error^2)",
        "theorem (number not verified)",
        Computed(
            exponents_apart, "exponent of the least regret in the error, pessimism less best-of-N"
        ),
        figure="regret",
    ),
    Claim(
        "itp-05",
        "with binary rewards the two are closer",
        "the difference narrows: there is one without, and it is larger than either way with them",
        "experiments (from notes)",
        All(
            (
                Positive(Apart(LEAD)),
                more(Apart(LEAD), Apart(Minus(Gold(CHECKED["itp"]), Gold(CHECKED["bon"])))),
                more(Apart(LEAD), Apart(Minus(Gold(CHECKED["bon"]), Gold(CHECKED["itp"])))),
            )
        ),
        figure="checked answers",
    ),
)


def _beta_lines() -> list[ComputedLine]:
    return [ComputedLine("best beta", np.log10(ERRORS), np.log10(best_betas()))]


def _regret_lines() -> list[ComputedLine]:
    from overopt.papers.enumerated.regret import ERRORS as SCALES
    from overopt.papers.enumerated.regret import INSTANCES, least_regrets

    regret_I2E = np.log10([least_regrets(seed) for seed in range(INSTANCES)])
    return [
        ComputedLine(name, np.log10(SCALES), regret_I2E[:, place])
        for place, name in enumerate(("best-of-N at its best N", "pessimism at its best beta"))
    ]


FIGURES = (
    Figure(
        "frontier", "best-of-n and pessimism, here along KL", "sqrt_kl", "gold_mean",
        (("best-of-n", BON), ("pessimism", ITP)), beside="proxy_mean",
        note="Here pessimism moves along its beta.",
    ),
    LevelFigure(
        "samples", "gold of pessimism along the number of samples", "samples n (log2)",
        "gold (SDs of the initial policy)",
        (("beta 0.5", tuple((log2(n), at(n)) for n in (1, *FEWER, MOST))),),
    ),
    Figure(
        "checked answers", "both where answers are right or wrong, here along KL", "sqrt_kl",
        "gold_mean", (("best-of-n", CHECKED["bon"]), ("pessimism", CHECKED["itp"])),
        beside="proxy_mean",
    ),
    ComputedFigure(
        "best-beta", "the theorem on beta: best beta by the error of the estimated reward",
        "RMSE of the estimate (SDs of the true reward, log10)", "best beta (log10)", _beta_lines,
    ),
    ComputedFigure(
        "regret", "the theorems on regret: least regret by the error of the estimated reward",
        "scale of the error (log10)", "least regret (log10)", _regret_lines,
    ),
)  # fmt: skip

PAPER = Paper(
    name="itp2025",
    title="Is Best-of-N the Best of Them? Coverage, Scaling, and Optimality in Inference-Time "
    "Alignment",
    url="https://arxiv.org/abs/2503.21878",
    grids={
        "smoke": Grid(task="tabular", seeds=3, without=frozenset(CHECKED.values())),
        "standard": Grid(),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "beta of itp-01 is 0.5 SD: that of the paper's experiments was not seen. It is the paper's "
        "algorithm with finite samples; elsewhere the threshold comes from the whole pool.",
        "The instances of itp-04 are ours: on half of the prompts best-of-N may miss the good "
        "response (1 / N), on the others it may draw an overestimated one (error times the root of "
        "N), so that both costs bind at every N. The theorem itself could not be verified.",
        "How the best beta falls as coverage gets worse is not tested: the instances of itp-03 "
        "have one coverage. Binary rewards of itp-05 are those of the task arithmetic, where gold "
        "is about 1 for a right answer, less small costs of long steps and of no answer, and the "
        "proxy learns it from comparisons as elsewhere. The two are compared at equal KL, along "
        "beta, where the paper compares them at equal N.",
    ),
)
