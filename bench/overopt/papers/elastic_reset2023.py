"""Noukhovitch et al. 2023, "Language Model Alignment with Elastic Reset".

Only the abstract and the authors' code were at hand. The code resets every 260 steps, keeps .995 of
the average in a step, and has a KL penalty of .02 beside the resets.
"""

from __future__ import annotations

from math import inf

from overopt.papers.contract import (
    All,
    Arm,
    Between,
    Claim,
    Equal,
    Figure,
    Grid,
    Paper,
    Positive,
    ResetDrop,
    RewardAtKl,
    StepsToRegain,
    Trained,
    more,
)

PERIOD = 48
RESET = Arm("elastic-reset")
TO_INITIAL = Arm("elastic-reset", settings=("elastic-reset.decay=1.0",))
"""An average that never moves is the initial policy."""
PENALIZED = {beta: Arm("ppo", settings=(f"ppo.beta={beta:g}",)) for beta in (0.02, 0.05, 0.1)}
PPO = Arm("ppo")

CLAIMS = (
    Claim(
        "er-01",
        "at equal KL and in as many steps Elastic Reset has more reward than PPO with a KL penalty",
        "it does, on three tasks",
        "abstract",
        All(
            tuple(
                more(RewardAtKl(RESET, arm, after=PERIOD), RewardAtKl(arm, RESET, 0, PERIOD))
                for arm in PENALIZED.values()
            )
        ),
        figure="drift",
    ),
    Claim(
        "er-02",
        "a reset takes KL away, and the reward is regained in less than half a period",
        "it recovers quickly while drift falls",
        "abstract",
        All((Positive(ResetDrop(RESET, PERIOD)), Between(StepsToRegain(RESET, PERIOD), -inf, 0.5))),
        figure="steps",
    ),
    Claim(
        "er-03",
        "resetting to the moving average beats resetting to the initial policy at equal KL",
        "the mechanism as the abstract and the code have it",
        "abstract, code",
        more(
            RewardAtKl(RESET, TO_INITIAL, PERIOD, PERIOD),
            RewardAtKl(TO_INITIAL, RESET, PERIOD, PERIOD),
        ),
        figure="drift",
    ),
    Claim(
        "er-04",
        "late in training KL no longer grows under Elastic Reset, and grows under PPO",
        "implied",
        "abstract",
        All(
            (
                Equal(Trained(RESET, "kl_nats", "late-slope"), 0.5),
                Positive(Trained(PPO, "kl_nats", "late-slope")),
            )
        ),
        figure="steps",
    ),
)

_CURVES = (
    ("Elastic Reset", RESET),
    ("reset to the initial policy", TO_INITIAL),
    ("PPO", PPO),
    *((f"PPO, penalty {beta:g}", arm) for beta, arm in PENALIZED.items()),
)
FIGURES = (
    Figure("drift", "reward against drift", "kl", "proxy_mean", _CURVES, beside="gold_mean",
           estimator="kl_k1_nats"),
    Figure("steps", "KL along training: the sawtooth", "step", "kl_nats", _CURVES),
)  # fmt: skip

PAPER = Paper(
    name="elastic-reset2023",
    title="Language Model Alignment with Elastic Reset",
    url="https://arxiv.org/abs/2312.07551",
    grids={
        "smoke": Grid(
            task="tabular", seeds=3, without=frozenset({PENALIZED[0.02], PENALIZED[0.1]})
        ),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: a period is 48 steps, as long as this project's runs allow several, and the "
        "resets stand alone, without a KL penalty beside them. Reward is the proxy's; gold is "
        "drawn dashed. er-01 and er-03 read rewards in training, on samples for training prompts: "
        "budgets are met once, most of them before the first reset, and a run with resets comes "
        "back to the same KL in every period. Its first period does not count. That KL does not "
        "grow any more is taken as less than half a nat in a hundred steps.",
    ),
)
