"""Ramé et al. 2024, "WARM: On the Benefits of Weight Averaged Reward Models"."""

from __future__ import annotations

from overopt.papers.contract import (
    All,
    Arm,
    BestBelow,
    BestOf,
    Between,
    Claim,
    Equal,
    Figure,
    Gold,
    Grid,
    Minus,
    Ordering,
    Paper,
    Peak,
    Value,
    more,
)

MEMBERS = (2, 6, 10)


def _warm(method: str, members: int, *settings: str) -> Arm:
    return Arm(method, "warm", settings=(f"warm.members={members}", *settings))


BON = {members: _warm("bon", members) for members in MEMBERS}
RL = {members: _warm("rloo", members) for members in MEMBERS}
PAIR = Arm("bon", "mean", settings=("mean.members=2",))
ONE, ONE_RL = Arm("bon"), Arm("rloo")
COEFFICIENTS = (0.01, 0.03, 0.1, 0.3)
ONE_AT = {beta: Arm("rloo", settings=(f"rloo.beta={beta:g}",)) for beta in COEFFICIENTS}
WARM_AT = {beta: _warm("rloo", 6, f"rloo.beta={beta:g}") for beta in COEFFICIENTS}


def _best_coefficient(arms: dict[float, Arm]) -> BestOf:
    return BestOf("KL coefficient", tuple((beta, Peak(arm)) for beta, arm in arms.items()))


CLAIMS = (
    Claim(
        "warm-01",
        "under shift, accuracy of interpolated weights is no lower than interpolated accuracy",
        "for every share",
        "observation 1, figure 3",
        None,
        "accuracy under shift of the average less the chord, over a grid of shares: above 0",
        needs="accuracy of interpolated reward models under shift",
    ),
    Claim(
        "warm-02",
        "under shift, averaged weights and averaged predictions are about as accurate",
        "close, on clean data",
        "observation 2, figure 3",
        None,
        "difference of the two accuracies within half a percent",
        needs="accuracy of interpolated reward models under shift",
    ),
    Claim(
        "warm-03",
        "with a quarter of the labels swapped, averaged weights remember fewer swapped labels than "
        "averaged predictions and are no less accurate under shift",
        "lower on the swapped, no higher on the clean training pairs, no lower under shift",
        "observation 3, figures 4 and 5",
        None,
        "three differences of accuracies with those signs",
        needs="accuracy on swapped and clean training pairs, and under shift",
    ),
    Claim(
        "warm-04",
        "best-of-n: gold is highest for six averaged models, then two, then the mean of two, then "
        "one",
        "consistently, on clean and on corrupted labels",
        "section 5.1, figure 6",
        Ordering((Gold(BON[6]), Gold(BON[2]), Gold(PAIR), Gold(ONE))),
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
        "99.8 % against SFT after 3,500 steps, 79.4 % against the best single model",
        "figure 9",
        All(
            (
                Between(Value(RL[6], "win_rate"), 0.5, 1.0),
                more(Value(RL[6], "win_rate"), Value(ONE_RL, "win_rate")),
            )
        ),
        figure="rl",
    ),
    Claim(
        "warm-08",
        "the more the averaged models differ, the larger the gain",
        "order of data, learning rates, start (Baklava)",
        "figure 3b to d",
        None,
        "gain in accuracy in that order",
        needs="averages that differ by the order of the data and by their start alone",
    ),
    Claim(
        "warm-09",
        "averaging from the best model to the worst beats other orders",
        "random, and worst to best",
        "figure 10",
        None,
        "accuracy of the average in that order",
        needs="reward models averaged one after the other",
    ),
)

FIGURES = (
    Figure(
        "best-of-n", "figure 6: gold along best-of-n", "sqrt_kl", "gold_mean",
        (("one", ONE), ("mean of 2", PAIR),
         *((f"average of {members}", arm) for members, arm in BON.items())),
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
)  # fmt: skip

PAPER = Paper(
    name="warm2024",
    title="WARM: On the Benefits of Weight Averaged Reward Models",
    url="https://arxiv.org/abs/2401.12187",
    grids={
        "smoke": Grid(task="tabular", seeds=3, without=frozenset({BON[10], RL[10]})),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: gold is the rule of the world, the paper's control is a larger reward model; "
        "a single model is any, not the best of several; the win rate against a single model's "
        "policy is judged by both win rates against the initial policy.",
    ),
)
