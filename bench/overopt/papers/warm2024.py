"""Ramé et al. 2024, "WARM: On the Benefits of Weight Averaged Reward Models"."""

from __future__ import annotations

from itertools import pairwise
from math import inf

from overopt.papers.contract import (
    All,
    AnyFigure,
    Arm,
    Best,
    BestBelow,
    BestOf,
    Between,
    Claim,
    Equal,
    Figure,
    Gold,
    Grid,
    LevelFigure,
    Marked,
    Minus,
    Ordering,
    Paper,
    Peak,
    Positive,
    Value,
    examined,
    more,
)
from overopt.stats.exams.averages import (
    BEST,
    PREDICTIONS,
    RANDOM,
    SHARES,
    WEIGHTS,
    WORST,
    at_share,
)
from overopt.stats.exams.averages import MEMBERS as MEMBERS_MEAN
from overopt.stats.exams.designs import KEPT, SHIFT, SWAPPED

MEMBERS = (2, 6, 10)


NOISES = ("0", "0.25")


def _warm(method: str, members: int, noise: str, *settings: str) -> Arm:
    return Arm(method, "warm", noise, settings=(f"warm.members={members}", *settings))


def _one(method: str, noise: str, *settings: str) -> Arm:
    """A single model, or the mean of unaveraged ones: from the start that averaged ones have."""
    system = "mean" if "mean.members=2" in settings else "single"
    return Arm(method, system, noise, proxy_start="policy", settings=settings)


BON = {(members, noise): _warm("bon", members, noise) for members in MEMBERS for noise in NOISES}
PAIR = {noise: _one("bon", noise, "mean.members=2") for noise in NOISES}
ONE = {noise: _one("bon", noise) for noise in NOISES}
RL = {members: _warm("rloo", members, "0") for members in MEMBERS}
ONE_RL = _one("rloo", "0")
COEFFICIENTS = (0.01, 0.03, 0.1, 0.3)
ONE_AT = {beta: _one("rloo", "0", f"rloo.beta={beta:g}") for beta in COEFFICIENTS}
WARM_AT = {beta: _warm("rloo", 6, "0", f"rloo.beta={beta:g}") for beta in COEFFICIENTS}
BUDGETS_NATS = (0.5, 1.0, 2.0, 3.5, 5.5)
"""Where win rates are read: the budget that is best on other seeds."""


def _most_wins(arm: Arm) -> Best:
    return Best(tuple(Value(arm, "win_rate", nats) for nats in BUDGETS_NATS))


def _best_coefficient(arms: dict[float, Arm]) -> BestOf:
    return BestOf("KL coefficient", tuple((beta, Peak(arm)) for beta, arm in arms.items()))


_SIX = ("warm.members=6",)
CLEAN, SWAPPED_LABELS = (
    examined(Arm("bon", "warm", noise=noise, settings=_SIX)) for noise in ("0", "0.25")
)
BAKLAVA = examined(Arm("bon", "baklava", noise="0", settings=("baklava.members=6",)))
ORDER_ALONE = examined(
    Arm("bon", "warm", noise="0", settings=(*_SIX, "warm.same_rate=true", "warm.dropout=0"))
)
"""Members that differ by the order of the data, and by nothing else."""
SAME = 0.005
"""Half a percent: accuracies within it are about equal, or no higher and no lower."""


def _less(arm: Arm, exam: str, first: str, second: str) -> Minus:
    """Accuracy of one average less that of another."""
    return Minus(Marked(arm, exam, first), Marked(arm, exam, second))


def _gain(arm: Arm) -> Minus:
    """Accuracy under shift of the average of all members, less the mean of theirs."""
    return _less(arm, SHIFT, WEIGHTS, MEMBERS_MEAN)


HALF_WEIGHTS, HALF_PREDICTIONS = (at_share(of, 0.5) for of in (WEIGHTS, PREDICTIONS))

CLAIMS = (
    Claim(
        "warm-01",
        "under shift, accuracy of interpolated weights is no lower than interpolated accuracy",
        "for every share",
        "observation 1, figure 3",
        All(
            tuple(
                Positive(
                    _less(CLEAN, SHIFT, at_share(WEIGHTS, share), at_share(MEMBERS_MEAN, share))
                )
                for share in SHARES
            )
        ),
        figure="shares",
    ),
    Claim(
        "warm-02",
        "under shift, averaged weights and averaged predictions are about as accurate",
        "close, on clean data",
        "observation 2, figure 3",
        Equal(_less(CLEAN, SHIFT, HALF_WEIGHTS, HALF_PREDICTIONS), SAME),
        figure="shares",
    ),
    Claim(
        "warm-03",
        "with a quarter of the labels swapped, averaged weights remember fewer swapped labels than "
        "averaged predictions, know the others less well and are more accurate under shift",
        "lower on the swapped, worse on the clean training pairs, far better under shift",
        "observation 3, figures 4 and 5",
        All(
            (
                Positive(_less(SWAPPED_LABELS, SWAPPED, HALF_WEIGHTS, HALF_PREDICTIONS), sign=-1),
                Positive(_less(SWAPPED_LABELS, KEPT, HALF_WEIGHTS, HALF_PREDICTIONS), sign=-1),
                Positive(_less(SWAPPED_LABELS, SHIFT, HALF_WEIGHTS, HALF_PREDICTIONS)),
            )
        ),
        figure="swapped",
    ),
    Claim(
        "warm-04",
        "best-of-n: gold is highest for six averaged models, then two, then the mean of two, then "
        "one",
        "consistently, on clean and on corrupted labels",
        "section 5.1, figure 6",
        All(
            tuple(
                more(Gold(better), Gold(worse))
                for noise in NOISES
                for better, worse in pairwise(
                    (BON[6, noise], BON[2, noise], PAIR[noise], ONE[noise])
                )
            )
        ),
        figure="best-of-n",
    ),
    Claim(
        "warm-05",
        "RL: averaging delays the collapse of gold; ten models delay it further and peak no higher "
        "than six",
        "it does",
        "section 5.2, figures 8 and 9",
        All(
            (
                more(Peak(RL[6], "log_kl"), Peak(ONE_RL, "log_kl")),
                more(Peak(RL[10], "log_kl"), Peak(RL[6], "log_kl")),
                Equal(Minus(Peak(RL[10]), Peak(RL[6]))),
            )
        ),
        figure="rl",
    ),
    Claim(
        "warm-06",
        "the best KL coefficient is smaller for averaged reward models than for one",
        "it is",
        "figure 8c",
        BestBelow(_best_coefficient(WARM_AT), _best_coefficient(ONE_AT)),
        figure="coefficients",
    ),
    Claim(
        "warm-07",
        "the policy trained against the average wins against the initial one, and against that of "
        "a single model",
        "99.8 % against SFT after 3,500 steps, the highest of all; 79.4 % against the best single "
        "model",
        "section 5.2, figure 9",
        All(
            (
                Between(_most_wins(RL[6]), 0.5, inf),
                more(_most_wins(RL[6]), _most_wins(ONE_RL)),
            )
        ),
        figure="rl",
    ),
    Claim(
        "warm-08",
        "the more the averaged models differ, the larger the gain",
        "order of data, learning rates, start (Baklava)",
        "figure 3b to d",
        Ordering((_gain(BAKLAVA), _gain(CLEAN), _gain(ORDER_ALONE))),
        figure="diversity",
    ),
    Claim(
        "warm-09",
        "averaging from the best model to the worst beats other orders",
        "random, and worst to best",
        "figure 10",
        All(tuple(Positive(_less(CLEAN, SHIFT, BEST, other)) for other in (RANDOM, WORST))),
        figure="orders",
    ),
)

FIGURES: tuple[AnyFigure, ...] = (
    Figure(
        "best-of-n", "figure 6: gold along best-of-n", "kl", "gold_mean",
        (("one", ONE["0.25"]), ("mean of 2", PAIR["0.25"]),
         *((f"average of {members}", BON[members, "0.25"]) for members in MEMBERS)),
        estimator="kl_bound_nats",
    ),
    Figure(
        "rl", "figures 8 and 9: gold along RL", "kl", "gold_mean",
        (("one", ONE_RL), *((f"average of {members}", arm) for members, arm in RL.items())),
        beside="proxy_mean",
    ),
    Figure(
        "coefficients", "figure 8c: gold along RL by KL coefficient", "kl", "gold_mean",
        tuple(
            (f"{name}, {beta:g}", arms[beta])
            for beta in COEFFICIENTS
            for name, arms in (("one", ONE_AT), ("average of 6", WARM_AT))
        ),
    ),
    *(
        LevelFigure(
            name, of, "share of the second of two members", "accuracy under shift",
            tuple(
                (label, tuple((share, Marked(arm, SHIFT, at_share(what, share)))
                              for share in SHARES))
                for label, what in (("averaged weights", WEIGHTS),
                                    ("averaged predictions", PREDICTIONS),
                                    ("members' accuracies", MEMBERS_MEAN))
            ),
        )
        for name, of, arm in (
            ("shares", "figure 3: two members, clean labels", CLEAN),
            ("shares-swapped", "figure 4: two members, a quarter swapped", SWAPPED_LABELS),
        )
    ),
    LevelFigure(
        "swapped", "figures 4 and 5: averaged weights less averaged predictions, by data",
        "a quarter of the labels swapped", "difference in accuracy",
        (("", tuple((float(k), _less(SWAPPED_LABELS, exam, HALF_WEIGHTS, HALF_PREDICTIONS))
                    for k, exam in enumerate((SWAPPED, KEPT, SHIFT)))),),
        ticks=("swapped\ntraining pairs", "other\ntraining pairs", "under shift"),
        note="Two members at equal shares.",
    ),
    LevelFigure(
        "diversity", "figure 3b to d: gain of the average by how members differ",
        "what members differ in", "accuracy under shift, less the members' mean",
        (("", tuple((float(k), _gain(arm)) for k, arm in enumerate((ORDER_ALONE, CLEAN, BAKLAVA)))),
         ),
        ticks=("order", "order, rate,\ndropout", "start (Baklava)"),
    ),
    LevelFigure(
        "orders", "figure 10: members averaged one after the other", "order",
        "accuracy under shift",
        (("", tuple((float(k), Marked(CLEAN, SHIFT, order))
                    for k, order in enumerate((BEST, RANDOM, WORST)))),),
        ticks=(BEST, RANDOM, WORST), rest=0.5,
        note="Mean over 2 to 5 members of 6; bars stand on chance.",
    ),
)  # fmt: skip

PAPER = Paper(
    name="warm2024",
    title="WARM: On the Benefits of Weight Averaged Reward Models",
    url="https://arxiv.org/abs/2401.12187",
    grids={
        "smoke": Grid(
            task="tabular",
            seeds=3,
            without=frozenset({*(BON[10, noise] for noise in NOISES), RL[10]}),
        ),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: gold is the rule of the world, the paper's control is a larger reward model; "
        "a single model is any, not the best of several, and starts from the policy as averaged "
        "ones do; warm-05 to 07 are of clean labels, as the paper's figures 8c and 9. The win rate "
        "against a single model's policy is judged by both win rates against the initial policy, "
        "each at the budget where it is highest on other seeds.",
        "Averages are examined without a policy (docs/exams.md). Under shift means pairs of "
        "responses to held-out prompts by other models, which are the initial policy tilted "
        "toward length and wording; the paper's are summaries by other models. Two members are "
        "averaged at shares .25, .5 and .75, the mean over three such pairs of six; warm-02 and 03 "
        "are read at .5. Members are ranked on half of the prompts and averaged one after the "
        "other on the rest, 2 to 5 of 6 (warm-09, where the paper trained ten). Baklava's "
        "checkpoints are runs of their own from the same first weights, over 2/3, 5/6 and all of "
        "the examples, and each has its own probed head. Figures 3 and 10 are of clean labels.",
    ),
)
