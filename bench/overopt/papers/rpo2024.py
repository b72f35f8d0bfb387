"""Liu et al. 2024, "Provably Mitigating Overoptimization in RLHF: Your SFT Loss is Implicitly an
Adversarial Regularizer" (RPO).

Claims are those of the abstract and of sections 5.3 and 6; rpo-01 is from notes by others.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from overopt.papers.contract import (
    All,
    Along,
    Arm,
    Between,
    Claim,
    Fall,
    Figure,
    Gold,
    Grid,
    Hump,
    LevelFigure,
    Minus,
    Paper,
    Positive,
    Trained,
    Wins,
    more,
)

DPO, RPO = Arm("dpo"), Arm("rpo")
STRONGER = Arm("rpo", settings=("rpo.eta=0.05",))
DOSES = (0.0, 0.3, 0.6, 0.9)
"""Share of the prompts, kind by kind, of which there is no pair; as many pairs of the others."""


def _without(arm: Arm, dose: float) -> Arm:
    return replace(arm, flaw=f"coverage:{dose:g}") if dose else arm


UNCOVERED = tuple(
    (dose, Minus(Gold(_without(RPO, dose)), Gold(_without(DPO, dose)))) for dose in DOSES
)

CLAIMS = (
    Claim(
        "rpo-01",
        "under DPO the likelihood of chosen responses falls in training, under RPO much less",
        "it falls under DPO, much less under RPO",
        "figure 1, right",
        All(
            (
                Positive(Trained(DPO, "chosen_log_ratio_nats"), sign=-1),
                more(Trained(RPO, "chosen_log_ratio_nats"), Trained(DPO, "chosen_log_ratio_nats")),
            )
        ),
        figure="chosen",
    ),
    Claim(
        "rpo-02",
        "RPO's policy wins against DPO's on held-out prompts, judged by gold",
        "56.0 and 54.0 %, for two series of models",
        "section 6, table 1",
        Between(Wins(RPO, DPO, last=True), 0.5, inf),
        figure="gold",
    ),
    Claim(
        "rpo-03",
        "gold of DPO falls at large KL, and RPO's falls less",
        "RPO mitigates overoptimization",
        "abstract",
        All((Hump(DPO), Positive(Minus(Fall(DPO), Fall(RPO))))),
        figure="gold",
    ),
    Claim(
        "rpo-04",
        "the fewer prompts the pairs cover, the larger RPO's gain in gold over DPO",
        "theory: a policy is as good as what the pairs cover, also on shifted prompts",
        "section 5.3",
        Positive(Along("the share of prompts without a pair", UNCOVERED)),
        figure="coverage",
    ),
)

FIGURES = (
    Figure(
        "gold", "ours: gold along KL", "sqrt_kl", "gold_mean",
        (("DPO", DPO), ("RPO", RPO), ("RPO, eta 0.05", STRONGER)), beside="win_rate",
    ),
    Figure(
        "chosen", "figure 1 right: likelihood of chosen responses in training", "step",
        "chosen_log_ratio_nats", (("DPO", DPO), ("RPO", RPO)),
    ),
    LevelFigure(
        "coverage", "ours: gold against the coverage of the pairs",
        "share of prompts without a pair", "gold at each arm's own end (SDs)",
        tuple(
            (label, tuple((dose, Gold(_without(arm, dose))) for dose in DOSES))
            for label, arm in (("DPO", DPO), ("RPO", RPO))
        ),
    ),
)  # fmt: skip

PAPER = Paper(
    name="rpo2024",
    title="Provably Mitigating Overoptimization in RLHF: Your SFT Loss is Implicitly an "
    "Adversarial Regularizer",
    url="https://arxiv.org/abs/2405.16436",
    grids={
        "smoke": Grid(task="tabular", seeds=3),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: a win is a prompt on which the last policy of RPO has the higher mean gold, "
        "since single responses are not stored. eta is that of the authors' code; the curve of "
        "0.05 is for the figure only. What pairs cover is varied by prompts: a share of them, kind "
        "by kind, has no pair, and the others have as many more.",
    ),
)
