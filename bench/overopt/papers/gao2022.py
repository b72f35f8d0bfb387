"""Gao, Schulman and Hilton 2022, "Scaling Laws for Reward Model Overoptimization".

Departures are in the notes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf, log, log2
from typing import Literal

from overopt.papers.contract import (
    All,
    Along,
    Arm,
    Bend,
    Between,
    BeyondFigure,
    Bias,
    Checked,
    Claim,
    Coefficient,
    Distance,
    Equal,
    Exact,
    Fall,
    Figure,
    Foretold,
    Form,
    GapAtProxy,
    Gold,
    Grid,
    GrowthExponent,
    HeldOut,
    LevelFigure,
    LogKlAtGold,
    Minus,
    NoWorse,
    Paper,
    Peak,
    Positive,
    RelabelingError,
    Related,
    ScatterFigure,
    StreamSpec,
    Value,
    more,
)
from overopt.stats.verdicts.identities import regressional_deviation

BON, RL = Arm("bon"), Arm("ppo")
WIDTHS = (8, 16, 32, 64, 128)
PAIRS = (64, 128, 256, 512, 1024, 2048, 4096)
COEFFICIENTS = (0.01, 0.03, 0.1)
OF_WIDTH = {
    method: {width: Arm(method, proxy_width=width) for width in WIDTHS} for method in ("bon", "ppo")
}
OF_PAIRS = {
    method: {pairs: Arm(method, comparisons=pairs) for pairs in PAIRS} for method in ("bon", "ppo")
}
VARIED = (*OF_WIDTH["bon"].values(), *(OF_PAIRS["bon"][pairs] for pairs in PAIRS if pairs != 1024))
PENALIZED = {beta: Arm("ppo", settings=(f"ppo.beta={beta:g}",)) for beta in COEFFICIENTS}
ONCE = Arm("bon", settings=("proxy.training.epochs=1",))
FOUR_TIMES = Arm("bon", settings=("proxy.training.epochs=4",))
MORE_DATA = Arm("bon", comparisons=4096, settings=("proxy.training.epochs=1",))
RELABELED = tuple(
    (k, Arm("ppo", settings=(f"rounds.count={k}", "rounds.start=last", "rounds.until_kl_nats=18")))
    for k in (2, 3, 4)
)
SMALL, LARGE = (Arm("bon", settings=(f"policy.architecture.width={width}",)) for width in (32, 128))


LEFT_OUT = frozenset({
    *OF_WIDTH["ppo"].values(), *OF_PAIRS["ppo"].values(), *(arm for _, arm in RELABELED),
    *(OF_WIDTH["bon"][width] for width in (64, 128)), PENALIZED[0.01], PENALIZED[0.03],
    *(OF_PAIRS["bon"][pairs] for pairs in (2048, 4096)), SMALL, LARGE, MORE_DATA,
})  # fmt: skip
"""What takes longer than the minutes of the smallest grid."""


def regressional_identity() -> Checked:
    """Conditional means of sums of normals, by quadrature, against the formula."""
    worst = regressional_deviation()
    return Checked(worst <= 1e-9, worst, 1e-9, "conditional means of normals by quadrature")


BETA = {column: Coefficient(BON, Form.BON, "b", column) for column in ("gold_mean", "proxy_mean")}
UNDER = (Bias(BON, Form.BON, "proxy_mean"), Bias(RL, Form.RL, "proxy_mean"))


def _coefficients(
    of: Mapping[str, Mapping[int, Arm]], scale: Callable[[float], float]
) -> dict[str, tuple[tuple[float, Coefficient], ...]]:
    """alpha and beta of each method's form over the levels of an axis."""
    return {
        f"{greek}, {label}": tuple(
            (scale(level), Coefficient(arm, form, which)) for level, arm in of[method].items()
        )
        for method, form, label in (("bon", Form.BON, "best-of-n"), ("ppo", Form.RL, "PPO"))
        for greek, which in _GREEK
    }


_GREEK: tuple[tuple[str, Literal["a", "b"]], ...] = (("alpha", "a"), ("beta", "b"))
BY_WIDTH = _coefficients(OF_WIDTH, log)
BETAS = ("beta, best-of-n", "beta, PPO")
_auroc = partial(Value, column="auroc", at_nats=0.0)


def _by_pairs(
    method: str, read: Callable[[Arm], Gold | Fall | Value]
) -> tuple[tuple[float, Gold | Fall | Value], ...]:
    return tuple((log(pairs), read(arm)) for pairs, arm in OF_PAIRS[method].items())


def _proxy(arm: Arm) -> Value:
    return Value(arm, "proxy_mean")


def _gap(arm: Arm) -> Minus:
    """Proxy less gold at the common end."""
    return Minus(_proxy(arm), Value(arm, "gold_mean"))


CLAIMS = (
    Claim(
        "gao-01",
        "best-of-n: gold follows d (alpha - beta d), which fitted at n <= 1000 predicts large n",
        "hypothesized up to 6 nats; the advance prediction to n = 60,000 (about 10 nats) held",
        "section 3.1",
        All((*(more(Foretold(BON, other), Foretold(BON, Form.BON)) for other in (None, Form.RL)),
             Between(Foretold(BON, Form.BON, log=False), -inf, 0.1))),
        figure="beyond",
    ),
    Claim(
        "gao-02",
        "RL: d (alpha - beta log d) extrapolates better than d (alpha - beta log(1 + d))",
        "the alternative extrapolates substantially worse",
        "appendix B, figure 26",
        Positive(Minus(HeldOut(RL, Form.LOG1P), HeldOut(RL, Form.RL))),
        figure="widths-rl",
    ),
    Claim(
        "gao-03",
        "RL: in d (alpha - beta d^gamma) the best gamma is small, and the freedom does not pay",
        "gamma is small; the extra degree of freedom is not worth it",
        "appendix B",
        All((Between(Coefficient(RL, Form.POWER, "gamma"), -inf, 0.5),
             NoWorse(Minus(Coefficient(RL, Form.POWER, "aicc"), Coefficient(RL, Form.RL, "aicc")),
                     2.0))),
    ),
    Claim(
        "gao-04",
        "beta of best-of-n and of RL falls as the proxy grows, about linearly in log parameters",
        "smooth in log parameters",
        "sections 3.2 and 4.2.2, figure 3",
        All(tuple(Positive(Along("log width", BY_WIDTH[x]), sign=-1) for x in BETAS)),
        figure="coefficients",
    ),
    Claim(
        "gao-05",
        "alpha of RL is nearly independent of the size of the proxy",
        "alpha can be held constant across sizes",
        "section 3.2, figure 3c",
        Equal(Along("log width", BY_WIDTH["alpha, PPO"]), 0.05),
        figure="coefficients",
    ),
    Claim(
        "gao-06",
        "more comparisons: higher gold at the end and a smaller fall",
        "the sign",
        "section 3.3, figures 4 and 10",
        All(tuple(Positive(Along("log comparisons", _by_pairs(method, statistic)), sign=sign)
                  for method in ("bon", "ppo") for statistic, sign in ((Gold, 1), (Fall, -1)))),
        figure="comparisons",
    ),
    Claim(
        "gao-07",
        "below a threshold of comparisons a proxy is hardly better than chance",
        "about 2,000 comparisons, for all sizes; a matter of scale, so that only the existence of "
        "a threshold is tested",
        "section 3.3, figures 6 and 21",
        All((Positive(Bend("log comparisons", _by_pairs("bon", _auroc))),
             Between(_auroc(OF_PAIRS["bon"][PAIRS[0]]), 0.45, 0.55))),
        figure="threshold",
    ),
    Claim(
        "gao-08",
        "four passes over the same comparisons change gold by nothing; four times the data help",
        "no change whatsoever from more passes",
        "footnote 7, figure 13",
        All((Equal(Minus(Gold(FOUR_TIMES), Gold(ONCE))), more(Gold(MORE_DATA), Gold(ONCE)))),
        figure="passes",
    ),
    Claim(
        "gao-09",
        "proxies of equal accuracy are equally robust, whatever size and data they come from",
        "weak evidence, a hypothesis (the paper compares validation losses)",
        "section 3.3, figure 5",
        Equal(
            Related(
                "partial correlation of the fall with log width over proxies of all sizes and "
                "data, ranking accuracy held fixed",
                tuple((log(arm.proxy_width or 32), Fall(arm)) for arm in VARIED),
                tuple(map(_auroc, VARIED)),
            ),
            0.2,
        ),
        figure="robustness",
    ),
    Claim(
        "gao-10",
        "a larger policy gains less from start to peak",
        "the sign",
        "section 3.4, figure 7a",
        more(Peak(SMALL), Peak(LARGE), 0.05),
        figure="policies",
    ),
    Claim(
        "gao-11",
        "a larger policy peaks at the same KL, with the same gap of proxy and gold",
        "almost the same",
        "section 3.4, figures 7 and 24",
        All((Equal(Minus(Peak(LARGE, "log_kl"), Peak(SMALL, "log_kl")), 0.25),
             Equal(Minus(_gap(LARGE), _gap(SMALL))))),
        figure="policies",
    ),
    Claim(
        "gao-12",
        "RL spends more KL than best-of-n for the same gold",
        "far less efficient in KL",
        "section 3.5",
        more(LogKlAtGold(RL, BON), LogKlAtGold(BON, RL)),
        figure="methods",
    ),
    Claim(
        "gao-13",
        "against the proxy's score, RL and best-of-n are closer than against KL; RL starts with "
        "the larger gap and peaks higher",
        "the signs",
        "section 3.5, figure 8",
        All((more(Distance(RL, BON, "sqrt_kl"), Distance(RL, BON, "proxy_mean")),
             more(GapAtProxy(RL, BON), GapAtProxy(BON, RL)), more(Peak(RL), Peak(BON)))),
        figure="proxy-axis",
    ),
    Claim(
        "gao-14",
        "a KL penalty leaves gold at equal KL unchanged",
        "gold depends on KL only; the penalty acts like stopping early",
        "section 3.6, figures 9 and 14",
        All(tuple(Equal(Minus(Gold(arm), Gold(RL))) for arm in PENALIZED.values())),
        figure="penalties",
    ),
    Claim(
        "gao-15",
        "a KL penalty gives more proxy at equal KL, so a larger gap",
        "a strictly larger gap",
        "sections 1 and 3.6",
        All(tuple(more(x(arm), x(RL)) for x in (_proxy, _gap) for arm in PENALIZED.values())),
        figure="penalties",
    ),
    Claim(
        "gao-16",
        "best-of-n: the proxy's beta is much smaller than gold's; for both, the proxy's form "
        "underpredicts at high KL",
        "the proxy grows about linearly in sqrt(KL)",
        "section 3.2, figure 20",
        All((more(BETA["gold_mean"], BETA["proxy_mean"]), *map(Positive, UNDER))),
        figure="methods",
    ),
    Claim(
        "gao-17",
        "without a penalty KL grows about quadratically in the step",
        "approximately quadratic",
        "section 3.5, figures 14 and 16",
        Between(GrowthExponent(RL), 1.5, 2.5),
        figure="steps",
    ),
    Claim(
        "gao-18",
        "relabeling k times adds beta d log k to gold",
        "a formula, under an assumption",
        "section 4.3",
        more(RelabelingError(RL, RELABELED, False), RelabelingError(RL, RELABELED, True)),
        figure="rounds",
    ),
    Claim(
        "gao-19",
        "regressional Goodhart: E[X | Xhat] of normal X and error",
        "an identity",
        "equation 1, appendix A",
        Exact(
            regressional_identity,
            "E[X | s] = E[X] + (s - E[X] - E[Z]) Var X / (Var X + Var Z), to rounding",
        ),
    ),
)  # fmt: skip

FIGURES = (
    Figure(
        "widths", "figure 1a: best-of-n, one curve for each size of proxy", "sqrt_kl",
        "gold_mean", tuple((f"width {w}", arm) for w, arm in OF_WIDTH["bon"].items()),
        beside="proxy_mean", estimator="kl_bound_nats", form=Form.BON,
    ),
    Figure(
        "widths-rl", "figure 1b: RL, one curve for each size of proxy", "sqrt_kl", "gold_mean",
        tuple((f"width {w}", arm) for w, arm in OF_WIDTH["ppo"].items()),
        beside="proxy_mean", estimator="kl_k1_nats", form=Form.RL,
        note="Which estimator of KL the paper uses is not verified; k1 is common.",
    ),
    Figure(
        "comparisons", "figure 4: one curve for each number of comparisons", "sqrt_kl", "gold_mean",
        tuple((f"{pairs} pairs", arm) for pairs, arm in OF_PAIRS["bon"].items()),
        estimator="kl_bound_nats",
    ),
    Figure(
        "policies", "figure 7: two policies", "sqrt_kl", "gold_mean",
        (("policy width 32", SMALL), ("policy width 128", LARGE)), beside="proxy_mean",
        estimator="kl_bound_nats",
    ),
    Figure(
        "methods", "figure 1: best-of-n and RL against KL", "sqrt_kl", "gold_mean",
        (("best-of-n", BON), ("PPO", RL)), beside="proxy_mean",
    ),
    Figure(
        "proxy-axis", "figure 8: best-of-n and RL against the proxy", "proxy", "gold_mean",
        (("best-of-n", BON), ("PPO", RL)),
    ),
    Figure(
        "penalties", "figure 9: one curve for each KL penalty", "sqrt_kl", "gold_mean",
        (("no penalty", RL), *((f"penalty {beta:g}", arm) for beta, arm in PENALIZED.items())),
        beside="proxy_mean", estimator="kl_k1_nats",
    ),
    Figure(
        "rounds", "section 4.3: rounds of relabeling", "sqrt_kl", "gold_mean",
        (("once", RL), *((f"{count} rounds", arm) for count, arm in RELABELED)), form=Form.RL,
    ),
    Figure(
        "steps", "figure 14: KL along training", "step", "kl_nats",
        (("no penalty", RL), *((f"penalty {beta:g}", arm) for beta, arm in PENALIZED.items())),
        log_x=True, log_y=True,
    ),
)  # fmt: skip

OF_SIZES = tuple(
    LevelFigure(
        name, of, x, "coefficient (SDs, √nats)", tuple(_coefficients(arms, log2).items()),
        note="alpha, and beta of PPO: SDs per √nat; beta of best-of-n: SDs per nat.",
    )
    for name, of, x, arms in (
        ("coefficients", "figure 3: by size of proxy", "proxy width (log2)", OF_WIDTH),
        ("coefficients-pairs", "figure 3: by number of pairs", "pairs (log2)", OF_PAIRS),
    )
)  # fmt: skip

OTHERS = (
    BeyondFigure(
        "beyond", "figure 1a: best-of-n beyond the pool, as foretold", BON, (Form.BON, Form.RL),
    ),
    LevelFigure(
        "threshold", "figure 6: ranking accuracy by number of pairs", "pairs (natural log)",
        "AUROC of the proxy for gold", (("width 32", _by_pairs("bon", _auroc)),), rest=0.5,
    ),
    Figure(
        "passes", "figure 13: passes over the same pairs, and more pairs", "sqrt_kl", "gold_mean",
        (("1 pass", ONCE), ("4 passes", FOUR_TIMES), ("1 pass, 4 times the pairs", MORE_DATA)),
        estimator="kl_bound_nats",
    ),
    ScatterFigure(
        "robustness", "figure 5, with the fall in place of the best of 1,000's score",
        "AUROC of the proxy on the initial policy's samples", "fall of gold (SDs)",
        tuple((f"{name} varied", tuple((_auroc(arm), Fall(arm)) for arm in arms.values()))
              for name, arms in (("width", OF_WIDTH["bon"]), ("number of pairs", OF_PAIRS["bon"]))),
    ),
)  # fmt: skip

PAPER = Paper(
    name="gao2022",
    title="Scaling Laws for Reward Model Overoptimization",
    url="https://arxiv.org/abs/2210.10760",
    grids={
        "smoke": Grid(task="tabular", seeds=3, without=LEFT_OUT),
        "standard": Grid(seeds=5, stream=StreamSpec(prompts=8, samples_per_prompt=1 << 18)),
        "full": Grid(seeds=8, worlds=3, stream=StreamSpec(prompts=16, samples_per_prompt=1 << 19)),
    },
    claims=CLAIMS,
    figures=(*FIGURES, *OF_SIZES, *OTHERS),
    streamed=(BON,),
    notes=(
        "Departures: the gold is a rule of a synthetic world; a quarter of the labels is flipped; "
        "RL is PPO without a penalty; widths stand for sizes, parameters grow about with their "
        "square. A policy of another width has pairs and proxies of its own. An alpha shared "
        "across sizes is not compared by AICc with one for each. Rounds of gao-18 end evenly in d "
        "up to 18 nats. Best-of-n beyond the pool is of the first prompts. The gap of gao-11 is "
        "that of best-of-n, where the paper's figure 24 is of RL; gao-09 reads the fall, where its"
        " figure 5 has the score of the best of 1,000. gao-04 and gao-05 have five seeds in the "
        "standard grid.",
    ),
)
