"""Ramé et al. 2024, "WARP: On the Benefits of Weight Averaged Rewarded Policies".

The paper has no reward beside the one that is optimized, so that its claims are judged on the proxy
here; what gold does meanwhile is ours, and drawn dashed. RL is REINFORCE with a leave-one-out
baseline, as in this project's WARP.
"""

from __future__ import annotations

from math import inf

from overopt.papers.contract import (
    END,
    All,
    Along,
    Arm,
    AtKnob,
    Between,
    Claim,
    Figure,
    Grid,
    Last,
    Layers,
    LevelFigure,
    Minus,
    Paper,
    Positive,
    TaskAngle,
    Value,
    more,
)

EMA, FREE, WARP = Arm("ema-anchor"), Arm("rloo"), Arm("warp")
PENALTIES = (0.01, 0.03, 0.1)
TO_START = {beta: Arm("rloo", settings=(f"rloo.beta={beta:g}",)) for beta in PENALTIES}
LEVELS_NATS = (1.0, 3.5, 9.0)
"""Where fronts are compared; budgets of the default task."""
NEAR_NATS = (0.5, 1.0)
"""Where anchors are compared beside the end of each pair: a strong one holds a run near them."""
MERGED = {count: Arm("warp", settings=(f"warp.members={count}",)) for count in (2, 3, 4, 5)}
STEPS, LONGER = 100, 300
LAYERS: dict[str, Layers] = {
    "embed-\nding": "embeddings", "attention": "attention", "MLP": "mlp", "norms": "norms",
    "all\nlayers": "layers", "all\nweights": "all",
}  # fmt: skip
"""Lengths of training where runs end at steps; the paper's go from 3,000 to 9,000."""


def _merged(*settings: str) -> Arm:
    """Two runs of the shorter length, merged: the same two, whatever the settings of the merge."""
    return Arm("warp", settings=(f"warp.steps={STEPS}", *settings))


SLERP, LERP = _merged(), _merged("warp.path=lerp")
AT_SHARE = {
    0.5: SLERP,
    **{share: _merged(f"warp.share={share:g}") for share in (0.0, 0.25, 0.75, 1.0)},
}
"""SLERP by the share of the second run: the ends are the two runs themselves."""
LONG = Arm("warp", settings=(f"warp.steps={LONGER}",))
ITERATED = {1: SLERP, **{count: _merged(f"warp.iterations={count}") for count in (2, 3, 4, 5)}}
LOW_NATS, *_ = LEVELS_NATS


def _whole(arm: Arm, column: str = "proxy_mean") -> AtKnob:
    """Of the merged policy itself: eta is 1."""
    return AtKnob(arm, column, 1.0)


def _iteration(count: int) -> Value:
    """At the largest KL that all those reach which are compared."""
    return Value(ITERATED[count], "proxy_mean")


def _lines(column: str) -> tuple[tuple[str, tuple[tuple[float, AtKnob], ...]], ...]:
    """Along the share of the second run."""
    straight = {0.0: AT_SHARE[0.0], 0.5: LERP, 1.0: AT_SHARE[1.0]}
    return tuple(
        (label, tuple((share, _whole(arm, column)) for share, arm in sorted(arms.items())))
        for label, arms in (("SLERP", AT_SHARE), ("LERP", straight))
    )


def _above(one: Arm, others: tuple[Arm, ...]) -> All:
    """More proxy at equal KL, at each of the levels."""
    return All(
        tuple(
            more(Value(one, "proxy_mean", nats), Value(other, "proxy_mean", nats))
            for other in others
            for nats in LEVELS_NATS
        )
    )


CLAIMS = (
    Claim(
        "warp-01",
        "anchored at a moving average, RL has more reward at equal KL than anchored at the start "
        "or nowhere",
        "for every strength of the anchor at the start, 0 included; one of 0.01 can match it at "
        "low KL",
        "section 4.1, figure 3a and b",
        All(
            tuple(
                more(Value(EMA, "proxy_mean", nats), Value(other, "proxy_mean", nats))
                for other in (FREE, *TO_START.values())
                for nats in (*NEAR_NATS, END)
            )
        ),
        figure="anchors",
    ),
    Claim(
        "warp-02",
        "without an anchor RL ends with more reward and far more KL than with a strong one",
        "fast reward and exploding KL against early saturation",
        "section 4.1",
        All(
            (
                more(Last(FREE, "proxy_mean"), Last(TO_START[0.1], "proxy_mean")),
                more(Last(FREE, "kl_nats"), Last(TO_START[0.1], "kl_nats")),
            )
        ),
        figure="anchors",
    ),
    Claim(
        "warp-03",
        "SLERP of two runs has more reward than either run and than LERP, and slightly more KL "
        "than the runs, LERP less",
        "lambda of one half is best",
        "section 4.2, figure 3c, observations 2 and 3",
        All(
            (
                more(_whole(SLERP), _whole(LERP)),
                *(more(_whole(SLERP), _whole(AT_SHARE[end])) for end in (0.0, 1.0)),
                *(
                    test
                    for end in (0.0, 1.0)
                    for test in (
                        more(_whole(SLERP, "kl_nats"), _whole(AT_SHARE[end], "kl_nats")),
                        more(_whole(AT_SHARE[end], "kl_nats"), _whole(LERP, "kl_nats")),
                    )
                ),
            )
        ),
        figure="merges",
    ),
    Claim(
        "warp-04",
        "task vectors of two runs are nearly orthogonal",
        "about 90 degrees",
        "observation 4, appendix C.2",
        Between(TaskAngle(SLERP), 70.0, inf),
        figure="angles",
    ),
    Claim(
        "warp-05",
        "interpolating toward the start traces a front above those of the runs it comes from",
        "for shares from 0 to 1",
        "section 4.3, figure 4a",
        _above(WARP, (EMA,)),
        figure="front",
    ),
    Claim(
        "warp-06",
        "more merged policies, more reward at equal KL",
        "up to five",
        "figure 4b",
        Positive(
            Along(
                "policies merged",
                tuple(
                    (float(count), Value(arm, "proxy_mean", 3.5)) for count, arm in MERGED.items()
                ),
            )
        ),
        figure="members",
    ),
    Claim(
        "warp-07",
        "longer training and a smaller share is better even at low KL",
        "3,000 to 9,000 steps",
        "figure 4a",
        more(Value(LONG, "proxy_mean", LOW_NATS), Value(SLERP, "proxy_mean", LOW_NATS)),
        figure="lengths",
    ),
    Claim(
        "warp-08",
        "every iteration improves the front, by less and less",
        "better at every iteration; in preferences side by side no further gain after the third",
        "section 4.4, figure 4c, table 1",
        All(
            (
                *(more(_iteration(count + 1), _iteration(count)) for count in (1, 2, 3, 4)),
                more(
                    Minus(_iteration(2), _iteration(1)),
                    Minus(_iteration(5), _iteration(4)),
                ),
            )
        ),
        figure="iterations",
    ),
)

FIGURES = (
    Figure(
        "anchors", "figure 3: KL against reward by anchor", "kl", "proxy_mean",
        (("moving average", EMA), ("no anchor", FREE),
         *((f"start, {beta:g}", arm) for beta, arm in TO_START.items())),
        beside="gold_mean", estimator="kl_k1_nats",
        note="Dashed: gold, which the paper does not have.",
    ),
    Figure(
        "front", "figure 4a: KL against reward of interpolations", "kl", "proxy_mean",
        (("WARP", WARP), ("moving average", EMA)), beside="gold_mean", estimator="kl_k1_nats",
        note="Dashed: gold, which the paper does not have.",
    ),
    Figure(
        "members", "figure 4b: by the number of merged policies", "kl", "proxy_mean",
        tuple((f"{count} policies", arm) for count, arm in MERGED.items()), beside="gold_mean",
        estimator="kl_k1_nats", note="Dashed: gold, which the paper does not have.",
    ),
    LevelFigure(
        "merges", "figure 3c: reward of merges of two runs", "λ, share of the second run",
        "proxy (SDs of the initial policy)", _lines("proxy_mean"),
    ),
    LevelFigure(
        "merges-kl", "figure 3c: KL of merges of two runs", "λ, share of the second run",
        "KL from the initial policy (nats)", _lines("kl_nats"),
    ),
    LevelFigure(
        "angles", "appendix C.2: angles between task vectors, by kind of layer", "layers",
        "angle (degrees)",
        (("", tuple((float(k), TaskAngle(SLERP, of)) for k, of in enumerate(LAYERS.values()))),),
        ticks=tuple(LAYERS), note="Right angles are 90 degrees.",
    ),
    Figure(
        "lengths", "figure 4a: by the length of training", "kl", "proxy_mean",
        ((f"{STEPS} steps", SLERP), (f"{LONGER} steps", LONG)), beside="gold_mean",
        estimator="kl_k1_nats", note="Dashed: gold, which the paper does not have.",
    ),
    Figure(
        "iterations", "figure 4c: by the number of iterations", "kl", "proxy_mean",
        tuple((f"I = {count}", arm) for count, arm in ITERATED.items()), beside="gold_mean",
        estimator="kl_k1_nats", note="Dashed: gold, which the paper does not have.",
    ),
)  # fmt: skip

PAPER = Paper(
    name="warp2024",
    title="WARP: On the Benefits of Weight Averaged Rewarded Policies",
    url="https://arxiv.org/abs/2406.16768",
    grids={
        "smoke": Grid(
            task="tabular",
            seeds=3,
            kl_grid_nats=(0.25, 1.0, 2.0),
            without=frozenset({*MERGED.values(), AT_SHARE[0.25], AT_SHARE[0.75]}),
        ),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: one iteration but for warp-08, whose iterations are all of as many steps; "
        "fronts are compared at 1, 3.5 and 9 nats; in the smoke grid none but 1 nat is within "
        "reach of runs that end at the last KL budget. Those of warp-03, 04, 07 and 08 end after "
        "100 steps, the longer ones after 300, and are read where eta is 1, at 1 nat, and at the "
        "largest KL that all reach. A layer is a parameter. A gain of warp-08 is that from one "
        "iteration to the next. Anchors are compared at 0.5 and 1 nat and where both of a pair "
        "end; last policies of warp-02 are those of runs that end at the last KL budget.",
    ),
)
