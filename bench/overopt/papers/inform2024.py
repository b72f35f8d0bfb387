"""Miao et al. 2024, "InfoRM: Mitigating Reward Hacking in RLHF via Information-Theoretic Reward
Modeling".

The text was not at hand, and two notes disagree on win rates: claims are taken in sign only.
"""

from __future__ import annotations

from overopt.papers.contract import (
    All,
    Arm,
    Claim,
    Equal,
    Figure,
    Grid,
    Hump,
    JumpFromPeak,
    Largest,
    Last,
    NoHump,
    Paper,
    Value,
    more,
)

RL = {name: Arm("ppo", name) for name in ("single", "inform", "warm")}
FROM_POLICY = {name: Arm("ppo", name, proxy_start="policy") for name in ("inform", "mean")}
"""From the start that WARM's members have."""
PENALIZED = Arm("ppo", proxy_start="policy", settings=("ppo.beta=0.05",))

CLAIMS = (
    Claim(
        "inf-01",
        "RL, 25 % flipped: gold against a plain model falls late, against InfoRM it does not",
        "the signs, for three sizes",
        "simulation",
        All((Hump(RL["single"]), NoHump(RL["inform"], RL["single"]))),
        figure="gold",
    ),
    Claim(
        "inf-02",
        "samples become outliers in the latent space as gold begins to fall",
        "a jump of the cluster separation index at 600 to 700 steps",
        "detection",
        Equal(JumpFromPeak(RL["single"], "csi"), 0.1),
        figure="separation",
    ),
    Claim(
        "inf-03",
        "the cluster separation index of InfoRM itself stays low",
        "it does",
        "detection",
        more(Largest(RL["single"], "csi"), Largest(RL["inform"], "csi")),
        figure="separation",
    ),
    Claim(
        "inf-04",
        "under shift InfoRM ranks better than a plain reward model",
        "46.87 against 40.63 on TruthfulQA",
        "table",
        more(Value(RL["inform"], "auroc"), Value(RL["single"], "auroc")),
        figure="gold",
    ),
    Claim(
        "inf-05",
        "InfoRM wins more often than a plain model with a KL penalty, an ensemble and WARM",
        "the signs",
        "table",
        All(
            tuple(
                more(Last(FROM_POLICY["inform"], "win_rate"), Last(arm, "win_rate"))
                for arm in (PENALIZED, FROM_POLICY["mean"], RL["warm"])
            )
        ),
        figure="gold",
    ),
)

FIGURES = (
    Figure(
        "gold", "simulation: gold along RL", "step", "gold_mean",
        (*RL.items(), ("single, KL penalty 0.05", PENALIZED)), beside="proxy_mean",
    ),
    Figure(
        "separation", "detection: cluster separation index along RL", "step", "csi",
        tuple((name, RL[name]) for name in ("single", "inform")),
    ),
)  # fmt: skip

PAPER = Paper(
    name="inform2024",
    title="InfoRM: Mitigating Reward Hacking in RLHF via Information-Theoretic Reward Modeling",
    url="https://arxiv.org/abs/2402.09345",
    grids={
        "smoke": Grid(
            task="tabular", seeds=3, without=frozenset({RL["warm"], FROM_POLICY["mean"]})
        ),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    looked={"separation": (RL["single"], RL["inform"])},
    notes=(
        "Departures: win rates are those against the initial policy; accuracy under shift is that "
        "within prompts on samples of the policy that was optimized against each model. The price "
        "of a nat is this project's default, since the authors' lets nothing through here. "
        "Separation is that in the latents of an InfoRM that learned from the run's own "
        "preferences, also for policies that were optimized against a plain model, as a mean over "
        "samples; the paper's settings of its clusters are not verified. It is read at the KL "
        "budgets, of which few lie near the peak; a jump has to lie within a tenth of the run's "
        "steps from it, and one is found in a smooth rise, too, somewhere. inf-05 reads last "
        "policies, against reward models that all start from the policy.",
    ),
)
