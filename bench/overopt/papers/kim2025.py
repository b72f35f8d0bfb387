"""Kim et al. 2025, "Rethinking Reward Model Evaluation Through the Lens of Reward
Overoptimization".

An evaluation of a reward model is an exam here (docs/exams.md): a design says which models write
the right and the wrong responses of a set, and an accuracy is read over all sets. r2 of a design is
the square of the rank correlation, over reward models, of that accuracy with gamma of best-of-n, or
with gold of PPO; one number for each seed.

gamma is the area between the fitted curves of proxy and gold over the area under gold. The text
calls the upper bound the largest KL, while its axis is the root of KL; here areas are over the
root. In other tables of this project they are over KL.
"""

from __future__ import annotations

import math

from overopt.papers.contract import (
    All,
    Arm,
    Between,
    Claim,
    Figure,
    FinalGold,
    Form,
    Gamma,
    Gold,
    Grid,
    Leading,
    LevelFigure,
    Marked,
    Paper,
    Positive,
    Related,
    ScatterFigure,
    Squared,
    examined,
    more,
)
from overopt.stats.exams.designs import ALL, DESIGNS, DIVERSITY, MEAN

WIDTHS, PAIRS, NOISES = (8, 16, 64), (256, 1024, 4096), ("0", "0.1", "0.25", "0.35")
SETTINGS = (
    *(("0.25", width, None) for width in WIDTHS),
    *((noise, None, pairs) for noise in NOISES for pairs in PAIRS),
)
"""15 proxies: sizes, numbers of pairs, noises. The task's own width is 32."""
BON, PPO = (
    tuple(
        Arm(method, noise=noise, proxy_width=width, comparisons=pairs)
        for noise, width, pairs in SETTINGS
    )
    for method in ("bon", "ppo")
)
EXAMINED = tuple(map(examined, BON))
"""The same reward models, which nothing optimizes."""


def _gold(arm: Arm) -> FinalGold | Gold:
    """Of best-of-n where all of a claim's arms end; of PPO that of its last policy."""
    return FinalGold(arm) if arm.method == "ppo" else Gold(arm)


def _related(arms: tuple[Arm, ...], words: str) -> Related:
    return Related(
        words,
        tuple((Gamma(bon, ordered=True), _gold(arm)) for bon, arm in zip(BON, arms, strict=True)),
    )


def _r2(design: str, of: str = ALL, *, ppo: bool = False) -> Squared:
    """r2 of a design over the reward models, with gamma or with gold of PPO."""
    told = [_gold(arm) if ppo else Gamma(arm, ordered=True) for arm in (PPO if ppo else BON)]
    marks = [Marked(arm, design, of) for arm in EXAMINED]
    ending = "gold of PPO" if ppo else "gamma of best-of-n"
    words = f"rank correlation of {of} in {design} with {ending}"
    return Squared(Related(words, tuple(zip(marks, told, strict=True))))


SINGLE = ("gap", "matched", "one-one")
SEVERAL = tuple(one.name for one in DESIGNS if one.name not in SINGLE)
POINTS = (*((design, ALL) for design in SINGLE),
          *((design, of) for design in SEVERAL for of in (ALL, MEAN)))  # fmt: skip
"""All evaluations: in sets of one against one both accuracies are the same."""
REACH = 0.9
"""The paper calls r2 a correlation."""
SPREAD = ("alike", "one-model", "other-model", "many-models", "diverse")
"""Designs of one right and four wrong responses that differ in how alike those are."""

TABLE = ("gap", "matched", "gap-many", "matched-many", "one-one", "one-model", "other-model",
         "many-models", "four-four")  # fmt: skip
"""Designs that table 1 has counterparts of."""

CLAIMS = (
    Claim(
        "kim-01",
        "over reward models gamma of best-of-n predicts its gold at the end, and that of PPO",
        "r2 above 0.7 for PPO; 14 reward models under best-of-n, 9 and 10 under PPO",
        "section 4.3, figure 4",
        All(
            (
                Between(_related(BON, "rank correlation of gamma with gold of best-of-n"),
                        -math.inf, -math.sqrt(0.7)),
                Between(_related(PPO, "rank correlation of gamma with gold of PPO"),
                        -math.inf, -math.sqrt(0.7)),
            )
        ),
        figure="gold",
    ),
    Claim(
        "kim-02",
        "accuracy on pairs whose sides differ in style does not predict gamma",
        "r2 of .009 to .032 (design A), .067 to .214 (I)",
        "table 1",
        All((more(_r2("matched"), _r2("gap")), more(_r2("matched-many"), _r2("gap-many")))),
        figure="designs",
    ),
    Claim(
        "kim-03",
        "rejected responses from many models predict gamma better than from one",
        "H .72 and .82; F .485 and .497, G .601 and .683",
        "table 1",
        All(tuple(more(_r2("many-models"), _r2(one)) for one in ("one-model", "other-model"))),
        figure="designs",
    ),
    Claim(
        "kim-04",
        "comparing with many responses, or many with many, predicts better than one with one",
        "J .838 and .915, M .870 and .936, O .877 and .943",
        "table 1",
        All(tuple(more(_r2(many), _r2("one-one"))
                  for many in ("one-model", "many-models", "four-four"))),
        figure="designs",
    ),
    Claim(
        "kim-05",
        "accuracy that asks for all wins follows gamma better than the mean over pairs; PPO "
        "prefers the mean",
        "M above N, O above P for gamma; the reverse for PPO",
        "section 5.3, figure 5",
        All(
            (
                *(more(_r2(one, ALL), _r2(one, MEAN)) for one in ("many-models", "four-four")),
                *(more(_r2(one, MEAN, ppo=True), _r2(one, ALL, ppo=True))
                  for one in ("many-models", "four-four")),
            )
        ),
        figure="all-or-mean",
    ),
    Claim(
        "kim-06",
        "beyond an r2 of about 0.9 with gamma that with PPO falls again",
        "the curve turns",
        "figure 7",
        Positive(
            Leading(
                f"quadratic term over {len(POINTS)} evaluations of r2 with PPO by r2 with gamma",
                tuple((_r2(*one), _r2(*one, ppo=True)) for one in POINTS), 2, REACH,
            ),
            sign=-1,
        ),
        figure="both",
    ),
    Claim(
        "kim-07",
        "the more diverse the responses of a set, the more it predicts",
        "style .0107 and .0056, random .0151 and .0265",
        "table 2",
        Positive(
            Leading(
                f"slope over {len(SPREAD)} designs of r2 with gamma by the diversity of sets",
                tuple((Marked(EXAMINED[0], one, DIVERSITY), _r2(one)) for one in SPREAD), 1,
            )
        ),
        figure="diversity",
    ),
)  # fmt: skip

FIGURES = (
    Figure(
        "gold", "the fitted curves that gamma is made of", "sqrt_kl", "gold_mean",
        tuple((f"noise {arm.noise}, {arm.comparisons or 1024} pairs", arm)
              for arm in BON if arm.proxy_width is None and arm.comparisons != 1024),
        beside="proxy_mean", estimator="kl_bound_nats", form=Form.BON,
    ),
    LevelFigure(
        "designs", "table 1: how well accuracy on sets predicts gamma, by design", "design",
        "r² with gamma of best-of-n",
        (("", tuple((float(k), _r2(one)) for k, one in enumerate(TABLE))),),
        ticks=TABLE,
        note="Accuracy that asks for all wins. Designs are those of docs/exams.md.",
    ),
    LevelFigure(
        "all-or-mean", "figure 5: both accuracies, with gamma and with gold of PPO",
        "design, and what is predicted", "r²",
        tuple(
            (of, tuple((float(2 * ppo + k), _r2(one, of, ppo=bool(ppo)))
                       for ppo in (0, 1) for k, one in enumerate(("many-models", "four-four"))))
            for of in (ALL, MEAN)
        ),
        ticks=("1:4, gamma", "4:4, gamma", "1:4, PPO", "4:4, PPO"),
    ),
    ScatterFigure(
        "both", "figure 7: evaluations, by what they predict", "r² with gamma of best-of-n",
        "r² with gold of PPO", (("", tuple((_r2(*one), _r2(*one, ppo=True)) for one in POINTS)),),
    ),
    ScatterFigure(
        "diversity", "table 2: designs of one against four by the diversity of their sets",
        "diversity of a set (Jaccard distance of words)", "r² with gamma of best-of-n",
        (("", tuple((Marked(EXAMINED[0], one, DIVERSITY), _r2(one)) for one in SPREAD)),),
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
        "gamma is over sqrt(KL), the axis of the paper's curves, although its text calls the end "
        "of the integral the largest KL. gamma in other tables of this project is over KL.",
        "Departures: 15 reward models of four sizes, three numbers of pairs and four noises; the "
        "correlation is Spearman's, with the paper's bound on r2 as the bound on its square. "
        "A reward model whose gold has no area has no gamma; in ranks it stands above all that "
        "have one, since gamma grows without bound as that area shrinks.",
        "Designs here follow the paper's findings: a gap in style "
        "(kim-02), wrong responses of one or several models, here four of them where F, G and H "
        "have one (03), one against one, against four and four against four (04; the paper has 1:3 "
        "and 1:9 and 3:3), both accuracies (05). Models are the initial policy tilted toward "
        "length and wording, in place of language models; right and wrong are thirds by gold, in "
        "place of correct solutions; diversity is Jaccard distance of words (07).",
        "kim-06 is out of reach where no evaluation comes to an r2 of .9 with gamma.",
    ),
)
