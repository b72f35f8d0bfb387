"""Yang et al. 2024, "Regularizing Hidden States Enables Learning Generalizable Reward Model for
LLMs" (GRM).

The text was not at hand; claims are those of captions and of the authors' code. Accuracy under
shift is that of the proxy within prompts on samples of a policy that RLOO has moved against a
single proxy: on the responses that optimization leads to.
"""

from __future__ import annotations

from math import log2, log10

from overopt.papers.contract import (
    END,
    OWN_END,
    All,
    Arm,
    BestBetween,
    BestOf,
    Claim,
    Figure,
    Gold,
    Grid,
    Hump,
    LevelFigure,
    Minus,
    NoHump,
    Paper,
    Positive,
    Value,
    more,
)

PAIRS = (256, 4096)
RIVALS = ("single", "margin", "labelsmooth")


def _arm(method: str, name: str, comparisons: int | None = None) -> Arm:
    """Every model starts from the policy, as GRM does."""
    start = None if name == "grm" else "policy"
    return Arm(method, name, comparisons=comparisons, proxy_start=start)


BON = {name: _arm("bon", name) for name in ("grm", *RIVALS)}
RL = {name: _arm("rloo", name) for name in ("grm", *RIVALS)}
PPO = {name: _arm("ppo", name) for name in ("grm", *RIVALS, "mean")}
BY_PAIRS = {
    pairs: {name: _arm("rloo", name, pairs) for name in ("single", "grm")} for pairs in PAIRS
}
BY_WEIGHT = {
    weight: Arm("rloo", "grm", settings=(f"grm.weight={weight:g}",))
    for weight in (0.001, 0.005, 0.05, 0.2)
}
"""The fifth weight, 0.01, is that of `RL`."""
WEIGHTED = sorted({**BY_WEIGHT, 0.01: RL["grm"]}.items())
TABLED = ("grm", "margin", "labelsmooth")
AUROC = "AUROC of the proxy for gold within prompts"


def _gain(pairs: int) -> Minus:
    arms = BY_PAIRS[pairs]
    return Minus(Value(arms["grm"], "auroc"), Value(arms["single"], "auroc"))


CLAIMS = (
    Claim(
        "grm-01",
        "under shift GRM ranks better than a Bradley-Terry model, more so with little data",
        "the signs, trained on 40,000 and on 400,000 pairs",
        "figure 1, table 1 (captions)",
        All(
            (
                *(
                    more(Value(arms["grm"], "auroc"), Value(arms["single"], "auroc"))
                    for arms in BY_PAIRS.values()
                ),
                more(_gain(256), _gain(4096)),
            )
        ),
        figure="pairs",
    ),
    Claim(
        "grm-02",
        "best-of-n: gold of GRM goes on rising where that of a single proxy falls",
        "robust up to 5 nats (n up to 405)",
        "figure 2 (caption)",
        All(
            (
                Hump(BON["single"]),
                NoHump(BON["grm"], BON["single"]),
                Positive(Gold(BON["grm"], OWN_END)),
            )
        ),
        figure="best-of-n",
    ),
    Claim(
        "grm-03",
        "PPO: gold against GRM is above that against plain, margin and label-smoothed models and "
        "an ensemble",
        "above the plain model by win rate",
        "table 14 (caption)",
        All(tuple(more(Gold(PPO["grm"]), Gold(arm)) for name, arm in PPO.items() if name != "grm")),
        figure="ppo",
    ),
    Claim(
        "grm-04",
        "the weight of the regularizer that ranks best under shift is between 0.005 and 0.05",
        "that range",
        "figure 6 (caption)",
        BestBetween(
            BestOf(
                "weight",
                tuple((weight, Value(arm, "auroc")) for weight, arm in WEIGHTED),
            ),
            0.005,
            0.05,
        ),
        figure="weights",
    ),
    Claim(
        "grm-05",
        "margins and label smoothing alone do not rank as well as GRM under shift",
        "the signs",
        "tables 1 and 3 (captions)",
        All(
            tuple(more(Value(RL["grm"], "auroc"), Value(RL[name], "auroc")) for name in TABLED[1:])
        ),
        figure="systems",
    ),
)

FIGURES = (
    Figure(
        "best-of-n", "figure 2: gold solid, proxy dashed", "kl", "gold_mean",
        tuple(BON.items()), beside="proxy_mean", estimator="kl_bound_nats",
    ),
    Figure("ppo", "gold along PPO", "kl", "gold_mean", tuple(PPO.items()), beside="proxy_mean"),
    LevelFigure(
        "pairs", "figure 1: ranking accuracy by number of pairs", "pairs (log2)", AUROC,
        tuple(
            (f"{name}, {where}", tuple((log2(pairs), Value(arms[name], "auroc", at))
                                       for pairs, arms in BY_PAIRS.items()))
            for name in ("single", "grm")
            for where, at in (("initial policy", 0.0), ("under shift", END))
        ),
        end="level",
    ),
    LevelFigure(
        "weights", "figure 6: accuracy under shift by the regularizer's weight", "weight (log10)",
        AUROC, (("grm", tuple((log10(w), Value(arm, "auroc")) for w, arm in WEIGHTED)),),
        end="figure",
    ),
    LevelFigure(
        "systems", "tables 1 and 3: accuracy under shift", "proxy system", AUROC,
        (("", tuple((float(k), Value(RL[name], "auroc")) for k, name in enumerate(TABLED))),),
        ticks=TABLED, end="figure", rest=0.5, note="Bars stand on chance.",
    ),
)  # fmt: skip

PAPER = Paper(
    name="grm2024",
    title="Regularizing Hidden States Enables Learning Generalizable Reward Model for LLMs",
    url="https://arxiv.org/abs/2406.10216",
    grids={
        "smoke": Grid(
            task="tabular",
            seeds=3,
            without=frozenset({*BY_PAIRS[4096].values(), PPO["margin"], PPO["labelsmooth"]}),
        ),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: a quarter of the labels is flipped; every system ranks the samples of the "
        "policy that was optimized against it, which are not the same responses; numbers of pairs "
        "are 256 and 4,096; best-of-n goes as far as the task's pool.",
    ),
)
