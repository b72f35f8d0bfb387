"""Chen et al. 2024, "Preference Learning Algorithms Do Not Learn Preference Rankings".

The theorem of section 4 is checked as it stands; section and figure numbers of the rest are those
of the abstract and of notes. Accuracies are those of sums of log-probabilities on held-out pairs
that gold labels without noise, read at the peak of gold, where one would stop; the two halves of
the last claim are those of d = sqrt KL.
"""

from __future__ import annotations

from math import inf

import numpy as np

from overopt.papers.contract import (
    All,
    Arm,
    AtLowest,
    Between,
    Checked,
    Claim,
    Exact,
    Figure,
    Grid,
    LevelFigure,
    Paper,
    Peak,
    Positive,
    Together,
    more,
)

TUNED = tuple(Arm(name) for name in ("dpo", "ipo", "rloo"))
"""Tuned on the pairs, and by reinforcement learning against a proxy."""
DPO = TUNED[0]


def loss_decides_the_ranking() -> Checked:
    """Right ranking iff the loss is at most -log sigmoid(beta c), on random pairs, and two numbers.

    c is the reference's log ratio of the rejected response to the chosen one, so that the policy
    ranks the pair right where its own log ratio m of chosen to rejected is above 0; DPO's loss is
    -log sigmoid(beta (m + c)). The deviation counts pairs on the wrong side, and adds how far the
    two numbers are off.
    """
    generator = np.random.default_rng(0)
    beta, c, margin = (generator.uniform(low, high, 100_000)
                       for low, high in ((0.01, 1.0), (-20.0, 20.0), (-20.0, 20.0)))  # fmt: skip
    loss = np.logaddexp(0.0, -beta * (margin + c))
    limit = np.logaddexp(0.0, -beta * c)
    wrong = int(np.sum((margin >= 0.0) != (loss <= limit)))
    told = {(5.0, 0.1): 0.474077, (30.0, 0.1): 0.048587}
    off = max(abs(np.logaddexp(0.0, -b * c) - limit) for (c, b), limit in told.items())
    words = "100,000 random pairs; limits 0.474077 at c = 5 and 0.048587 at c = 30, beta = 0.1"
    return Checked(wrong == 0 and bool(off < 5e-7), wrong + float(off), 5e-7, words)


CLAIMS = (
    Claim(
        "pr-01",
        "policies rank few pairs by their likelihoods after preference tuning",
        "below 60 %; 40 to 42 % for three models without length normalization",
        "figure 1, table 1 (from the abstract and notes)",
        All(tuple(Between(Peak(arm, "ranking"), -inf, 0.6) for arm in TUNED)),
        figure="accuracy",
    ),
    Claim(
        "pr-02",
        "the accuracy of an ideal policy is far higher",
        "97 to 98 % with length normalization, 99 % without",
        "table 1 (from notes)",
        more(Peak(DPO, "ranking_ideal"), Peak(DPO, "ranking")),
        figure="accuracy",
    ),
    Claim(
        "pr-03",
        "DPO ranks a pair right exactly where its loss is at most -log sigmoid(beta c), c the "
        "reference's log ratio of rejected to chosen",
        "theorem 4.1",
        "section 4",
        Exact(loss_decides_the_ranking, "the two sides of the equivalence agree on every pair"),
    ),
    Claim(
        "pr-04",
        "where validation loss is lowest, few of the training pairs that the reference ranks wrong "
        "are flipped",
        "under 10 % (HH, 2.8B parameters)",
        "section 4.1, figure 2 (from notes)",
        Between(AtLowest(DPO, "flipped", "heldout_loss_nats"), -inf, 0.25),
        figure="flipped",
    ),
    Claim(
        "pr-05",
        "near the reference, ranking accuracy and win rate rise together; far from it they part",
        "a change of sign",
        "section 5 (from notes)",
        All(
            (
                Positive(Together(DPO, "ranking", "win_rate", "near")),
                Positive(Together(DPO, "ranking", "win_rate", "far"), sign=-1),
            )
        ),
        figure="rankings",
    ),
)

FIGURES = (
    Figure(
        "rankings", "the figure of section 5, ranking and win rate along training", "step",
        "ranking", (("dpo", DPO),), beside="win_rate",
        note="Both are shares; the paper has an axis for each.",
    ),
    Figure("flipped", "figure 2", "step", "flipped", (("dpo", DPO),)),
    LevelFigure(
        "accuracy", "figure 1 and table 1: held-out pairs ranked right at the peak of gold",
        "method", "pairs ranked right by likelihood",
        (("policy", tuple((float(k), Peak(arm, "ranking")) for k, arm in enumerate(TUNED))),
         ("ideal policy", ((0.0, Peak(DPO, "ranking_ideal")),))),
        ticks=tuple(arm.method for arm in TUNED), rest=0.5,
        note="Bars stand on chance, 0.5.",
    ),
)  # fmt: skip

PAPER = Paper(
    name="prefrank2024",
    title="Preference Learning Algorithms Do Not Learn Preference Rankings",
    url="https://arxiv.org/abs/2405.19534",
    grids={"smoke": Grid(task="tabular", seeds=3), "standard": Grid(), "full": Grid(seeds=8)},
    claims=CLAIMS,
    figures=FIGURES,
)
