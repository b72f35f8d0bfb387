"""Mukobi et al. 2023, "SuperHF: Supervised Iterative Learning from Human Feedback".

Only the abstract and the authors' code were at hand.
"""

from __future__ import annotations

from math import log

from overopt.papers.contract import (
    All,
    Along,
    Arm,
    AtSamples,
    Claim,
    Figure,
    FinalGold,
    GapAtProxy,
    Grid,
    Last,
    Minus,
    NoWorse,
    Paper,
    Positive,
    more,
)

PRIOR, PPO = Arm("superhf"), Arm("ppo")
WEIGHTS = (0.01, 0.03, 0.1, 0.3, 1.0)
BY_WEIGHT = {c: Arm("superhf", settings=(f"superhf.kl_weight={c:g}",)) for c in WEIGHTS}
WITHOUT = Arm("superhf", settings=("superhf.kl_weight=0",))

CLAIMS = (
    Claim(
        "shf-01",
        "SuperHF reaches no less training reward than PPO",
        "it exceeds PPO",
        "abstract",
        NoWorse(
            Minus(AtSamples(PRIOR, PPO, "proxy_mean"), AtSamples(PPO, PRIOR, "proxy_mean")), 0.05
        ),
        figure="reward",
    ),
    Claim(
        "shf-02",
        "at equal training reward SuperHF hacks less than PPO: more gold",
        "a favorable trade of reward against METEOR, by the code the likeness of completions of "
        "one model to each other: lower is better",
        "abstract",
        more(GapAtProxy(PPO, PRIOR, 0.9), GapAtProxy(PRIOR, PPO, 0.9)),
        figure="trade",
    ),
    Claim(
        "shf-03",
        "the KL prior is what prevents hacking: gold at the end rises with its weight",
        "a trade-off in the weight",
        "abstract, code",
        All(
            (
                Positive(
                    Along(
                        "log weight",
                        tuple((log(c), FinalGold(arm)) for c, arm in BY_WEIGHT.items()),
                    )
                ),
                more(FinalGold(PRIOR), FinalGold(WITHOUT)),
            )
        ),
        figure="weights",
    ),
    Claim(
        "shf-04",
        "after training the policy is better calibrated than PPO's",
        "calibration improves",
        "abstract",
        more(Last(PPO, "choice_error"), Last(PRIOR, "choice_error")),
        figure="calibration",
    ),
)

FIGURES = (
    Figure("reward", "training reward along samples", "samples", "proxy_mean",
           (("SuperHF", PRIOR), ("PPO", PPO)), beside="gold_mean"),
    Figure("trade", "gold against training reward", "proxy", "gold_mean",
           (("SuperHF", PRIOR), ("PPO", PPO))),
    Figure("calibration", "calibration along KL", "sqrt_kl", "choice_error",
           (("SuperHF", PRIOR), ("PPO", PPO))),
    Figure("weights", "gold along KL by the weight of the prior", "sqrt_kl", "gold_mean",
           (("no prior", WITHOUT), *((f"weight {c:g}", arm) for c, arm in BY_WEIGHT.items())),
           beside="proxy_mean"),
)  # fmt: skip

PAPER = Paper(
    name="superhf2023",
    title="SuperHF: Supervised Iterative Learning from Human Feedback",
    url="https://arxiv.org/abs/2310.16763",
    grids={
        "smoke": Grid(
            task="tabular",
            seeds=3,
            without=frozenset(arm for c, arm in BY_WEIGHT.items() if c in (0.03, 0.3)),
        ),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    looked={"calibration": (PRIOR, PPO)},
    notes=(
        "Departures: hacking is judged by gold where both have nine tenths of the reward that both "
        "reach; likeness of outputs is not a part of the verdict. shf-01 compares rewards on "
        "held-out prompts after equal numbers of samples, and shf-03 last policies, where a run "
        "that passes the last KL budget ends. "
        "Calibration, in the paper that of answers to questions with several choices, is that of "
        "a choice between the two responses of a held-out pair, of which gold says the better one; "
        "each policy is the last of its run, whatever its KL.",
    ),
)
