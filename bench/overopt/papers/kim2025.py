"""Kim et al. 2025, "Rethinking Reward Model Evaluation Through the Lens of Reward
Overoptimization".

gamma is the area between the fitted curves of proxy and gold over the area under gold. The text
calls the upper bound the largest KL, while its axis is the root of KL; here areas are over KL, as
in all tables of this project.
"""

from __future__ import annotations

import math

from overopt.papers.contract import (
    All,
    Arm,
    Between,
    Claim,
    Figure,
    Form,
    Gamma,
    Gold,
    Grid,
    Paper,
    Related,
)

WIDTHS, PAIRS, NOISES = (8, 16, 32, 64), (256, 1024, 4096), ("0", "0.1", "0.25", "0.35")
SETTINGS = (
    *(("0.25", width, None) for width in WIDTHS),
    *((noise, None, pairs) for noise in NOISES for pairs in PAIRS),
)
"""16 proxies: sizes, numbers of pairs, noises."""
BON, PPO = (
    tuple(
        Arm(method, noise=noise, proxy_width=width, comparisons=pairs)
        for noise, width, pairs in SETTINGS
    )
    for method in ("bon", "ppo")
)
_DESIGNS = "sets of scored responses that a reward model is evaluated on, built by design"


def _related(arms: tuple[Arm, ...], words: str) -> Related:
    return Related(
        words, tuple((Gamma(bon), Gold(arm)) for bon, arm in zip(BON, arms, strict=True))
    )


CLAIMS = (
    Claim(
        "kim-01",
        "over reward models gamma of best-of-n predicts its gold at the end, and that of PPO",
        "r2 above 0.7 for PPO, 14 reward models",
        "section 4.3, figure 4",
        All(
            (
                Between(_related(BON, "rank correlation of gamma with gold of best-of-n"), -1.0,
                        -math.sqrt(0.7)),
                Between(_related(PPO, "rank correlation of gamma with gold of PPO"), -1.0,
                        -math.sqrt(0.7)),
            )
        ),
        figure="gold",
    ),
    *(
        Claim(f"kim-0{number}", relation, reported, where, None, rule, needs=_DESIGNS)
        for number, relation, reported, where, rule in (
            (2, "accuracy on pairs whose sides differ in style does not predict gamma",
             "r2 of .009 to .032 (design A), .067 to .214 (I)", "table 1",
             "r2 with a gap in style less that without: below 0"),
            (3, "rejected responses from many models predict gamma better than from one",
             "H .72 and .82; F .485 and .497, G .601 and .683", "table 1",
             "r2 of many less r2 of one: above 0"),
            (4, "comparing many with many responses predicts better than one with one",
             "J .838 and .915, M .870 and .936, O .877 and .943", "table 1",
             "r2 in that order"),
            (5, "accuracy that asks for all wins follows gamma better than the mean over pairs; "
             "PPO prefers the mean", "M above N, O above P for gamma; the reverse for PPO",
             "section 5.3, figure 5", "two differences of r2"),
            (6, "beyond a correlation of about 0.9 with gamma that with PPO falls again",
             "the curve turns", "figure 7", "quadratic term over designs: below 0"),
            (7, "the more diverse the responses of a set, the more it predicts",
             "style .0107 and .0056, random .0151 and .0265", "table 2",
             "slope of r2 over diversity: above 0"),
        )
    ),
)  # fmt: skip

FIGURES = (
    Figure(
        "gold", "the fitted curves that gamma is made of", "sqrt_kl", "gold_mean",
        tuple((f"noise {arm.noise}, {arm.comparisons or 1024} pairs", arm)
              for arm in BON if arm.proxy_width is None and arm.comparisons != 1024),
        beside="proxy_mean", estimator="kl_bound_nats", form=Form.BON,
    ),
)  # fmt: skip

PAPER = Paper(
    name="kim2025",
    title="Rethinking Reward Model Evaluation Through the Lens of Reward Overoptimization",
    url="https://arxiv.org/abs/2505.12763",
    grids={
        "smoke": Grid(task="tabular", seeds=3, without=frozenset(PPO)),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: 16 reward models of four sizes, three numbers of pairs and four noises; the "
        "correlation is Spearman's, with the paper's bound on r2 as the bound on its square. "
        "Reward models without a gamma, because gold has no area, leave the claim unjudged.",
    ),
)
