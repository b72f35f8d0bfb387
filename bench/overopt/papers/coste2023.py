"""Coste, Anwar, Kirk and Krueger 2023, "Reward Model Ensembles Help Mitigate Overoptimization".

Best-of-n and PPO against a single proxy, the mean of five, the worst of five (WCO) and the mean
less lambda times the variance (UWO); lambda is 0.5 under best-of-n and 0.1 under PPO, as there.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from overopt.papers.contract import (
    All,
    AnyFigure,
    Arm,
    Between,
    Claim,
    Equal,
    Fall,
    Figure,
    FinalGold,
    Gold,
    Grid,
    Hump,
    LevelFigure,
    Minus,
    NoHump,
    NoWorse,
    Paper,
    Peak,
    ScatterFigure,
    Unrelated,
    Value,
    Wins,
    more,
)

SYSTEMS = ("single", "mean", "wco", "uwo")
CAREFUL = ("wco", "uwo")
PENALTIES = (0.0, 0.01, 0.05, 0.2)
WIDTHS, PAIRS, MEMBERS = (16, 32, 64), (512, 1024, 4096), (2, 3, 4, 5)
LAMBDAS = (0.1, 0.2, 0.5, 1.0)
BON = {(name, noise): Arm("bon", name, noise) for name in SYSTEMS for noise in ("0.25", "0")}
NOISY = {name: BON[name, "0.25"] for name in SYSTEMS}


def _ppo(system: str, penalty: float, noise: str = "0.25", *more_settings: str) -> Arm:
    price = [f"ppo.beta={penalty:g}"] if penalty else []
    weight = ["uwo.uncertainty_weight=0.1"] if system == "uwo" else []
    return Arm("ppo", system, noise, settings=(*price, *weight, *more_settings))


PPO = {(name, penalty): _ppo(name, penalty) for name in SYSTEMS for penalty in PENALTIES}
BY_WIDTH = {
    width: {name: Arm("bon", name, proxy_width=width) for name in ("single", "wco")}
    for width in WIDTHS
}
BY_PAIRS = {
    pairs: {name: Arm("bon", name, comparisons=pairs) for name in ("single", "wco")}
    for pairs in PAIRS
}
BY_MEMBERS = {number: Arm("bon", "wco", settings=(f"wco.members={number}",)) for number in MEMBERS}
BY_LAMBDA = {
    weight: Arm("bon", "uwo", settings=(f"uwo.uncertainty_weight={weight:g}",))
    for weight in LAMBDAS
}
NOISIER = {name: Arm("bon", name, "0.35") for name in ("single", *CAREFUL)}
NOISIER_PPO = {name: _ppo(name, 0.01, "0.35") for name in ("single", *CAREFUL)}
LONG = {name: _ppo(name, 0.01, "0.25", "rollout.max_steps=2000") for name in ("single", *CAREFUL)}
HARDER = (NOISIER, NOISIER_PPO, LONG)
CLEAN = BON["single", "0"]
MANY = replace(CLEAN, seeds=100)
"""An equivalence of rank correlations within .3 of 0 can be shown where it is below .1."""


def _gain(arms: dict[str, Arm]) -> Minus:
    return Minus(Gold(arms["wco"]), Gold(arms["single"]))


def _growth(system: str) -> Minus:
    """Log growth of the spread of the members of PPO's proxy, half of that of their variance."""
    arm = PPO[system, 0.0]
    return Minus(Value(arm, "spread", log=True), Value(arm, "spread", 0.0, log=True))


def _gain_at(noise: str, system: str) -> Minus:
    return Minus(Gold(BON[system, noise]), Gold(BON["single", noise]))


def _wins_bon(system: str) -> Wins:
    return Wins(NOISY[system], NOISY["single"])


def _wins_ppo(system: str) -> Wins:
    return Wins(PPO[system, 0.01], PPO["single", 0.01], last=True)


CLAIMS = (
    Claim(
        "coste-01",
        "best-of-n, 25 % flipped: gold of a single proxy falls after its peak, of WCO and UWO not",
        "no overoptimization for WCO and UWO",
        "section 5.1, figure 3b",
        All((Hump(NOISY["single"]), *(NoHump(NOISY[x], NOISY["single"]) for x in CAREFUL))),
        figure="best-of-n",
    ),
    Claim(
        "coste-02",
        "the mean of an ensemble overoptimizes under best-of-n with flipped labels, not without",
        "it does",
        "section 5, figure 3",
        All((Hump(NOISY["mean"]), NoHump(BON["mean", "0"], BON["single", "0"]))),
        figure="best-of-n",
    ),
    Claim(
        "coste-03",
        "at the end of best-of-n WCO and UWO gain over a single proxy, more so under label noise",
        "about 30 % without noise, up to 75 % with it",
        "section 5.1, figure 3",
        All(
            (
                *(
                    more(Gold(BON[x, noise]), Gold(BON["single", noise]))
                    for noise in ("0.25", "0")
                    for x in CAREFUL
                ),
                *(more(_gain_at("0.25", x), _gain_at("0", x)) for x in CAREFUL),
            )
        ),
        figure="best-of-n",
    ),
    Claim(
        "coste-04",
        "PPO without a penalty: WCO and UWO end above single and mean, and still fall",
        "they reduce overoptimization and do not eliminate it",
        "section 5.2, figure 5",
        All(
            (
                *(
                    more(Gold(PPO[x, 0.0]), Gold(PPO[y, 0.0]))
                    for x in CAREFUL
                    for y in ("single", "mean")
                ),
                *(Hump(PPO[x, 0.0]) for x in CAREFUL),
            )
        ),
        figure="ppo",
    ),
    Claim(
        "coste-05",
        "PPO: with a KL penalty of 0.01 WCO and UWO do not fall and lose no gold; a single proxy "
        "needs 0.2, which costs gold",
        "0.01 against 0.2",
        "section 5.2, figures 4 and 6",
        All(
            (
                *(Hump(PPO["single", penalty]) for penalty in (0.01, 0.05)),
                NoHump(PPO["single", 0.2], PPO["single", 0.2]),
                *(NoHump(PPO[x, 0.01], PPO["single", 0.0]) for x in CAREFUL),
                *(
                    NoWorse(Minus(FinalGold(PPO[x, 0.01]), Peak(PPO[x, 0.0])), 0.05)
                    for x in CAREFUL
                ),
                *(more(FinalGold(PPO[x, 0.01]), FinalGold(PPO["single", 0.2])) for x in CAREFUL),
            )
        ),
        figure="penalties",
    ),
    Claim(
        "coste-06",
        "at every KL penalty WCO and UWO end no lower than a single proxy",
        "they match or outperform it",
        "figure 7",
        All(
            tuple(
                NoWorse(Minus(FinalGold(PPO[x, penalty]), FinalGold(PPO["single", penalty])), 0.05)
                for penalty in PENALTIES
                for x in CAREFUL
            )
        ),
        figure="penalties",
    ),
    Claim(
        "coste-07",
        "the gain of WCO stays when proxies grow",
        "orthogonal to size (7M, 44M and 1.3B parameters)",
        "section 5.3, figure 8, tables 6 and 7",
        All(
            (
                *(more(Gold(arms["wco"]), Gold(arms["single"])) for arms in BY_WIDTH.values()),
                Equal(Minus(_gain(BY_WIDTH[64]), _gain(BY_WIDTH[16]))),
            )
        ),
        figure="sizes",
    ),
    Claim(
        "coste-08",
        "WCO gains at every number of comparisons",
        "it does",
        "figure 9",
        All(tuple(more(Gold(arms["wco"]), Gold(arms["single"])) for arms in BY_PAIRS.values())),
        figure="pairs",
    ),
    Claim(
        "coste-09",
        "the fourth member of an ensemble helps, the fifth hardly",
        "a noticeable gap from 3 to 4, none from 4 to 5",
        "section 5.4, figure 11",
        All(
            (
                more(Gold(BY_MEMBERS[4]), Gold(BY_MEMBERS[3])),
                Equal(Minus(Gold(BY_MEMBERS[5]), Gold(BY_MEMBERS[4]))),
            )
        ),
        figure="members",
    ),
    Claim(
        "coste-10",
        "UWO is robust to lambda over a decade",
        "most values work",
        "figure 12",
        All(
            tuple(
                Equal(Minus(Gold(arm), Gold(BY_LAMBDA[0.5])))
                for weight, arm in BY_LAMBDA.items()
                if weight != 0.5
            )
        ),
        figure="lambdas",
    ),
    Claim(
        "coste-11",
        "during PPO the members' variance grows more under the mean than under UWO",
        "about 3 times without noise and 2.5 times with it, about 20 % under UWO with lambda 0.1",
        "section 5.5, figure 10",
        more(_growth("mean"), _growth("uwo")),
        figure="spread",
    ),
    Claim(
        "coste-12",
        "how well a single proxy predicts preferences says nothing of how it overoptimizes",
        "an example: the highest loss, and no fall",
        "appendix F.1, figures 15 and 16 (the paper compares validation losses)",
        Unrelated(Value(MANY, "auroc", 0.0), Fall(MANY), least=54),
        figure="accuracy",
    ),
    Claim(
        "coste-13",
        "policies of ensembles win against those of single proxies, under PPO in the order mean, "
        "then WCO and UWO",
        "best-of-n 57.8, 58.3 and 58.2 %; PPO 60.2, 62.2 and 63.0 % (mean, WCO, UWO)",
        "appendix F.9, table 6",
        All(
            (
                *(Between(_wins_bon(x), 0.5, inf) for x in ("mean", *CAREFUL)),
                *(Between(_wins_ppo(x), 0.5, inf) for x in ("mean", *CAREFUL)),
                *(more(_wins_ppo(x), _wins_ppo("mean")) for x in CAREFUL),
            )
        ),
        figure="wins",
    ),
    Claim(
        "coste-14",
        "WCO and UWO hold with 35 % flipped, and where PPO may run five times as long",
        "they do (10,000 steps)",
        "figures 25 and 26",
        All(
            (
                *(Hump(arms["single"]) for arms in HARDER),
                *(NoHump(arms[x], arms["single"]) for arms in HARDER for x in CAREFUL),
            )
        ),
        figure="noisier",
    ),
)

FIGURES: tuple[AnyFigure, ...] = (
    Figure(
        "best-of-n", "figure 3b: best-of-n, 25 % flipped", "sqrt_kl", "gold_mean",
        tuple((name, arm) for name, arm in NOISY.items()), beside="proxy_mean",
        estimator="kl_bound_nats",
    ),
    Figure(
        "ppo", "figure 5: PPO without a penalty", "sqrt_kl", "gold_mean",
        tuple((name, PPO[name, 0.0]) for name in SYSTEMS), beside="proxy_mean",
        estimator="kl_k2_nats",
        note="The authors' released code plots k2.",
    ),
    Figure(
        "penalties", "figure 6: PPO by KL penalty", "sqrt_kl", "gold_mean",
        tuple(
            (f"{name}, penalty {penalty:g}", PPO[name, penalty])
            for name in ("single", "wco")
            for penalty in (0.0, 0.01, 0.2)
        ),
        estimator="kl_k2_nats",
    ),
    Figure(
        "members", "figure 11: WCO by number of members", "sqrt_kl", "gold_mean",
        tuple((f"{number} members", arm) for number, arm in BY_MEMBERS.items()),
    ),
    Figure(
        "lambdas", "figure 12: UWO by lambda", "sqrt_kl", "gold_mean",
        tuple((f"lambda {weight:g}", arm) for weight, arm in BY_LAMBDA.items()),
    ),
    *(
        LevelFigure(
            name, of, x, "gold at their common end (SDs)",
            tuple(
                (system, tuple((float(k), Gold(arms[system])) for k, arms in enumerate(levels)))
                for system in ("single", "wco")
            ),
            ticks=ticks, end="level",
        )
        for name, of, x, levels, ticks in (
            ("sizes", "figure 8: best-of-n by size of proxy", "proxy width",
             BY_WIDTH.values(), tuple(map(str, WIDTHS))),
            ("pairs", "figure 9: best-of-n by number of pairs", "pairs",
             BY_PAIRS.values(), tuple(map(str, PAIRS))),
        )
    ),
    Figure(
        "spread", "figure 10: how far members part along PPO", "step", "spread",
        tuple((name, PPO[name, 0.0]) for name in ("mean", "uwo")),
        note="The paper plots the variance, its square.",
    ),
    ScatterFigure(
        "accuracy", "figures 15 and 16: single proxies, by accuracy in place of loss",
        "AUROC of the proxy on the initial policy's samples", "fall of gold (SDs)",
        (("single", ((Value(MANY, "auroc", 0.0), Fall(MANY)),)),), each_seed=True,
    ),
    LevelFigure(
        "wins", "table 6: prompts won against the single proxy's policy", "proxy system",
        "share of prompts won",
        tuple(
            (label, tuple((float(k), wins(x)) for k, x in enumerate(SYSTEMS[1:])))
            for label, wins in (("best-of-n", _wins_bon), ("PPO, penalty 0.01", _wins_ppo))
        ),
        ticks=SYSTEMS[1:], rest=0.5,
    ),
    Figure(
        "noisier", "figure 25: best-of-n, 35 % flipped", "sqrt_kl", "gold_mean",
        tuple(NOISIER.items()), beside="proxy_mean", estimator="kl_bound_nats",
    ),
    Figure(
        "noisier-ppo", "figure 25: PPO, penalty 0.01, 35 % flipped", "sqrt_kl", "gold_mean",
        tuple(NOISIER_PPO.items()), beside="proxy_mean", estimator="kl_k2_nats",
    ),
    Figure(
        "long", "figure 26: PPO, penalty 0.01, up to 2,000 steps", "step", "gold_mean",
        tuple(LONG.items()), beside="proxy_mean",
    ),
)  # fmt: skip

_LARGE = frozenset(
    (
        MANY,
        *(arm for (_, penalty), arm in PPO.items() if penalty > 0.0),
        *LONG.values(),
        *NOISIER_PPO.values(),
        *(arm for width, arms in BY_WIDTH.items() if width > 32 for arm in arms.values()),
        *(arm for pairs, arms in BY_PAIRS.items() if pairs > 1024 for arm in arms.values()),
    )
)

PAPER = Paper(
    name="coste2023",
    title="Reward Model Ensembles Help Mitigate Overoptimization",
    url="https://arxiv.org/abs/2310.02743",
    grids={
        "smoke": Grid(task="tabular", seeds=3, without=_LARGE),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: flips are exact fractions (the released code relabels half of the rows at "
        "random); members are standardized under the initial policy before they are combined; the "
        "single proxy of a seed stands for the paper's average over the members run one by one; "
        "best-of-n ends at the pool's 1,024 responses instead of 12,500. Penalties are prices of "
        "KL in SDs of the proxy, so that their values do not compare with the paper's. A win of "
        "coste-13 is a prompt on which a policy's mean gold is the higher one, under best-of-n at "
        "equal KL, under PPO with a penalty of 0.01 at the last policies: single responses are "
        "not stored. A run of PPO that passes the last KL budget ends there, those of coste-14 "
        "long before their 2,000 steps: they speak of the same KL as the others. coste-12 has 100 "
        "seeds of its own.",
    ),
)
