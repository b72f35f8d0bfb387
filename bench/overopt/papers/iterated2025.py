"""Wolf et al. 2025, "Reward Model Overoptimisation in Iterated RLHF".

Each round labels pairs of the last policy, trains the proxy anew and optimizes again. Rounds before
the last run for as many steps as the task gives.
"""

from __future__ import annotations

from overopt.papers.contract import (
    All,
    Along,
    AlongKl,
    Arm,
    Claim,
    Equal,
    Figure,
    Gold,
    Grid,
    Hump,
    Minus,
    NoWorse,
    Ordering,
    Paper,
    Positive,
    Value,
    more,
)

ROUNDS = (1, 2, 3, 4)


def _round(
    count: int,
    *settings: str,
    proxy: str = "single",
    width: int | None = None,
    start: str | None = None,
) -> Arm:
    told = (f"rounds.count={count}", *settings) if count > 1 else ()
    return Arm("ppo", proxy, settings=told, proxy_width=width, proxy_start=start)


ALL = {count: _round(count) for count in ROUNDS}
LAST_DATA = {count: _round(count, "rounds.data=last") for count in (2, 3, 4)}
GOES_ON = {count: _round(count, "rounds.start=last", "rounds.steps=40") for count in (3, 4)}
"""Of few steps in each earlier round, or the last one would start beyond every KL budget."""
REPEATED = _round(4, "rounds.prompts=repeated")
INTERPOLATED = {
    k: _round(k, "rounds.start=liti", "rounds.share=0.5", "rounds.steps=40") for k in (2, 3, 4)
}
FROM_POLICY = {
    "last": _round(4, start="policy"),
    **{
        how: _round(4, "rounds.data=last", f"rounds.proxy={how}", start="policy")
        for how in ("mean", "average")
    },
}
"""Averages of weights need models that start from the same ones."""
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
        Ordering((Gold(ALL[4]), Gold(LAST_DATA[4]), Gold(ALL[1]))),
        figure="data",
    ),
    Claim(
        "it-04",
        "whether prompts repeat over rounds hardly matters",
        "minor",
        "figure 5b",
        Equal(Minus(Gold(REPEATED), Gold(ALL[4]))),
        figure="data",
    ),
    Claim(
        "it-05",
        "averaging the reward models of past rounds gains nothing over the last one on all data",
        "no clear gain: they fall short of it",
        "section 5.3, figure 5c",
        All(
            tuple(
                NoWorse(Minus(Gold(FROM_POLICY["last"]), Gold(FROM_POLICY[how])), 0.1)
                for how in ("mean", "average")
            )
        ),
        figure="proxies",
    ),
    Claim(
        "it-06",
        "a larger reward model helps the mean and the worst of an ensemble most",
        "160M against 70M parameters",
        "figure 6",
        All(tuple(more(_help(name, 64), _help(name, 16)) for name in ("mean", "wco"))),
        figure="ensembles",
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
                *(Positive(Gold(arm), sign=-1) for arm in GOES_ON.values()),
            )
        ),
        figure="starts",
    ),
    Claim(
        "it-08",
        "interpolating toward the start improves over rounds and stays below a fresh start",
        "it does",
        "figure 7b",
        All(
            (
                Positive(
                    Along(
                        "round",
                        tuple(
                            (float(k), Gold(arm)) for k, arm in {1: ALL[1], **INTERPOLATED}.items()
                        ),
                    )
                ),
                more(Gold(ALL[4]), Gold(INTERPOLATED[4])),
            )
        ),
        figure="starts",
    ),
    Claim(
        "it-09",
        "the distance between the distributions of proxy and gold falls and then rises with KL",
        "not monotone (MMD)",
        "figure 4",
        All(
            tuple(
                test
                for arm in ALL.values()
                for test in (
                    Positive(AlongKl(arm, "mmd", "bend")),
                    Positive(AlongKl(arm, "mmd", "start"), sign=-1),
                )
            )
        ),
        figure="distance",
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
        "distance", "figure 4: distance of proxy and gold by round", "kl", "mmd",
        tuple((f"round {k}", arm) for k, arm in ALL.items()),
    ),
    Figure(
        "ensembles", "figure 6: ensembles in the third round, by width of the proxies", "kl",
        "gold_mean", tuple((f"{name}, width {w}", arm) for (name, w), arm in ENSEMBLES.items()),
    ),
    Figure(
        "data", "figures 5a and 5b: what proxies learn from", "kl", "gold_mean",
        (("all rounds", ALL[4]), ("last round", LAST_DATA[4]), ("round 1", ALL[1]),
         ("all rounds, the same prompts", REPEATED)),
    ),
    Figure(
        "proxies", "figure 5c: proxies of past rounds combined", "kl", "gold_mean",
        tuple(FROM_POLICY.items()),
    ),
    Figure(
        "starts", "figure 7: what a round starts from", "kl", "gold_mean",
        (*((f"initial policy, round {k}", ALL[k]) for k in (3, 4)),
         *((f"last policy, round {k}", arm) for k, arm in GOES_ON.items()),
         *((f"halfway, round {k}", arm) for k, arm in INTERPOLATED.items())),
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
            without=frozenset(
                {
                    *ENSEMBLES.values(),
                    *FROM_POLICY.values(),
                    *INTERPOLATED.values(),
                    *(LAST_DATA[4], LAST_DATA[3], GOES_ON[3]),
                }
            ),
        ),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    looked={"scores": tuple(ALL.values())},
    notes=(
        "Departures: a quarter of the labels is flipped; RL is this project's PPO without a "
        "penalty; sampling from past preferences "
        "is not among the arms, so that it-03 orders three of the paper's four. Prompts that are "
        "not repeated are drawn anew in each round, and some come again by chance. Combined "
        "proxies each learned the pairs of their own round, and weigh the same; interpolated "
        "starts have half of the last policy's weights and half of the initial one's, where the "
        "paper goes on from the last round's own start; its share was not verified. Prompts of "
        "it-04 repeat where all preferences are kept, the paper's where they are sampled; the "
        "ensembles of it-06 are of members trained in the third round, the paper's of past "
        "rounds' models; policies of it-07 that go on keep all preferences, the paper's a sample; "
        "earlier rounds of these and of the interpolated ones have 40 steps, those of all others "
        "run for all of theirs, without a penalty, to 12 to 215 nats. "
        "The distance of it-09 is that of scores in SDs of the initial policy, with a Gaussian "
        "kernel whose width is the median distance of two scores under the initial policy: the "
        "paper has a squared exponential, too, and standardizes both rewards, whether anew at "
        "each policy was not verified. A parabola that bends upward is not enough, "
        "since a distance that only grows may bend too: it has to fall first.",
    ),
)
