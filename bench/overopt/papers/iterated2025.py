"""Wolf et al. 2025, "Reward Model Overoptimisation in Iterated RLHF".

Each round labels pairs of the last policy, trains the proxy anew and optimizes again. Rounds before
the last run for as many steps as the task gives.
"""

from __future__ import annotations

from overopt.papers.contract import (
    All,
    Along,
    Arm,
    Claim,
    Figure,
    Gold,
    Grid,
    Hump,
    Minus,
    Paper,
    Positive,
    Value,
    more,
)

ROUNDS = (1, 2, 3, 4)


def _round(count: int, *settings: str, proxy: str = "single", width: int | None = None) -> Arm:
    told = (f"rounds.count={count}", *settings) if count > 1 else ()
    return Arm("ppo", proxy, settings=told, proxy_width=width)


ALL = {count: _round(count) for count in ROUNDS}
LAST_DATA = {count: _round(count, "rounds.data=last") for count in (2, 3, 4)}
GOES_ON = {count: _round(count, "rounds.start=last") for count in (3, 4)}
ENSEMBLES = {
    (name, width): _round(3, proxy=name, width=width)
    for name in ("single", "mean", "wco")
    for width in (16, 64)
}


def _gap(arm: Arm) -> Minus:
    return Minus(Value(arm, "proxy_mean"), Value(arm, "gold_mean"))


def _gain(later: int) -> Minus:
    return Minus(Gold(ALL[later]), Gold(ALL[later - 1]))


def _help(name: str, width: int) -> Minus:
    return Minus(Gold(ENSEMBLES[name, width]), Gold(ENSEMBLES["single", width]))


CLAIMS = (
    Claim(
        "it-01",
        "the gap between proxy and gold shrinks over rounds",
        "it narrows, with all preferences kept and from the initial policy",
        "section 5.1, figure 4",
        Positive(Along("round", tuple((float(k), _gap(arm)) for k, arm in ALL.items())), sign=-1),
        figure="rounds",
    ),
    Claim(
        "it-02",
        "gains flatten after about three rounds",
        "diminishing",
        "sections 5.1 and 7",
        more(_gain(2), _gain(4)),
        figure="rounds",
    ),
    Claim(
        "it-03",
        "keeping the preferences of all rounds beats taking those of the last, and either the "
        "first round",
        "especially at 50 to 200 nats; round 1 is negative beyond about 200",
        "section 5.2, figure 5a",
        All(
            (
                more(Gold(ALL[4]), Gold(LAST_DATA[4])),
                more(Gold(LAST_DATA[4]), Gold(ALL[1])),
            )
        ),
        figure="data",
    ),
    Claim(
        "it-04",
        "whether prompts repeat over rounds hardly matters",
        "minor",
        "figure 5b",
        None,
        "gold at equal KL within 0.1 SD",
        needs="rounds whose prompts are drawn anew",
    ),
    Claim(
        "it-05",
        "averaging the reward models of past rounds gains nothing over the last one on all data",
        "no clear gain",
        "section 5.3, figure 5c",
        None,
        "gold at equal KL within 0.1 SD",
        needs="proxies that combine those of past rounds",
    ),
    Claim(
        "it-06",
        "a larger reward model helps the mean and the worst of an ensemble most",
        "160M against 70M parameters",
        "figure 6",
        All(tuple(more(_help(name, 64), _help(name, 16)) for name in ("mean", "wco"))),
    ),
    Claim(
        "it-07",
        "starting every round from the initial policy is most robust; a policy that goes on does "
        "not recover",
        "mean gold at most 0 in rounds 3 and 4",
        "section 5.4, figure 7",
        All(
            (
                *(more(Gold(ALL[k]), Gold(GOES_ON[k])) for k in (3, 4)),
                Positive(Gold(GOES_ON[4]), sign=-1),
            )
        ),
        figure="starts",
    ),
    Claim(
        "it-08",
        "interpolating toward the start improves over rounds and stays below a fresh start",
        "it does",
        "figure 7b",
        None,
        "slope over rounds above 0, and gold below that of a fresh start",
        needs="rounds that start from an interpolation of weights",
    ),
    Claim(
        "it-09",
        "the distance between the distributions of proxy and gold falls and then rises with KL",
        "not monotone (MMD)",
        "figure 4",
        None,
        "quadratic term of the distance in KL: above 0",
        needs="the distance (MMD) between scores of proxy and gold along a run",
    ),
    Claim(
        "it-10",
        "gold still falls after four rounds",
        "a small, persistent fall whatever is chosen",
        "section 1",
        Hump(ALL[4]),
        figure="rounds",
    ),
)

FIGURES = (
    Figure(
        "rounds", "figure 4: gold and proxy by round", "kl", "gold_mean",
        tuple((f"round {k}", arm) for k, arm in ALL.items()), beside="proxy_mean",
    ),
    Figure(
        "data", "figure 5a: what proxies learn from", "kl", "gold_mean",
        (("all rounds", ALL[4]), ("last round", LAST_DATA[4]), ("round 1", ALL[1])),
    ),
    Figure(
        "starts", "figure 7: what a round starts from", "kl", "gold_mean",
        (*((f"initial policy, round {k}", ALL[k]) for k in (3, 4)),
         *((f"last policy, round {k}", arm) for k, arm in GOES_ON.items())),
    ),
)  # fmt: skip

PAPER = Paper(
    name="iterated2025",
    title="Reward Model Overoptimisation in Iterated RLHF",
    url="https://arxiv.org/abs/2505.18126",
    grids={
        "smoke": Grid(
            task="tabular",
            seeds=3,
            without=frozenset({*ENSEMBLES.values(), LAST_DATA[4], LAST_DATA[3], GOES_ON[3]}),
        ),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: RL is this project's PPO without a penalty; sampling from past preferences "
        "is not among the arms, so that it-03 orders three of the paper's four.",
    ),
)
