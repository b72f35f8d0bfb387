"""Laidlaw, Singhal and Dragan 2024, "Correlated Proxies: A New Definition and Improved Mitigation
for Reward Hacking".

Numbers of definitions and theorems are those of notes and of the abstract page; the bound of cp-04
is derived here, by Cauchy-Schwarz, and agrees with the price sigma sqrt(1 - r^2) that the paper's
summary gives.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from overopt.papers.contract import (
    OWN_END,
    Arm,
    Best,
    Checked,
    Claim,
    ComputedFigure,
    ComputedLine,
    Exact,
    Figure,
    FinalGold,
    Gold,
    Grid,
    LevelFigure,
    Paper,
    Positive,
    Value,
    more,
)
from overopt.stats.arrays import Floats

COEFFICIENTS = (0.01, 0.03, 0.1, 0.3)
FREE = Arm("rloo")
KL = {beta: Arm("rloo", settings=(f"rloo.beta={beta:g}",)) for beta in COEFFICIENTS}
CHI2 = {c: Arm("chi2-rl", settings=(f"chi2-rl.coefficient={c:g}",)) for c in COEFFICIENTS}


@cache
def bounds_and_gains() -> Floats:
    """The bound on the gold gain and the gain, (2, policies), on random lists of responses.

    Gold and proxy are standardized under the base policy and correlate by r > 0 there. Policies are
    tilts toward the proxy, toward it at equal gold, and away from gold. The bound is
    (proxy gain - sqrt((1 - r^2) chi^2)) / r.
    """
    generator, found = np.random.default_rng(0), []
    for _ in range(200):
        base = generator.dirichlet(np.full(30, 0.5))
        raw = generator.normal(size=(2, base.size))
        raw[1] += generator.uniform(0.2, 3.0) * raw[0]
        centered = raw - (raw @ base)[:, None]
        gold, proxy = centered / np.sqrt((centered**2) @ base)[:, None]
        r = float(base @ (gold * proxy))
        if r <= 0.05:
            continue
        for strength in (0.3, 1.0, 3.0):
            for direction in (proxy, proxy - r * gold, proxy - 2.0 * gold):
                tilted = base * np.exp(strength * (direction - direction.max()))
                policy = tilted / tilted.sum()
                chi2 = float((policy**2 / base).sum() - 1.0)
                bound = (policy @ proxy - np.sqrt((1.0 - r**2) * chi2)) / r
                found.append((float(bound), float(policy @ gold)))
    return np.array(found, np.float64).T


def gain_is_bounded() -> Checked:
    """Gold gain >= (proxy gain - sqrt((1 - r^2) chi^2)) / r.

    The deviation is the largest violation; 0 where there is none.
    """
    bound, gain = bounds_and_gains()
    tightest = float((gain - bound).min())
    worst = max(0.0, -tightest)
    words = f"{len(gain)} policies; the bound's smallest slack is {tightest:.2g} SD of gold"
    return Checked(worst <= 1e-9, worst, 1e-9, words)


def occupancies_are_actions() -> Checked:
    """chi^2 of prompt and response together is the mean over prompts of chi^2 of responses."""
    generator, worst = np.random.default_rng(1), 0.0
    for _ in range(50):
        prompt_B = generator.dirichlet(np.ones(6))
        base_BR, policy_BR = generator.dirichlet(np.ones(9), size=(2, 6))
        joint = (prompt_B[:, None] * policy_BR) ** 2 / (prompt_B[:, None] * base_BR)
        together = float(joint.sum() - 1.0)
        apart = float(prompt_B @ ((policy_BR**2 / base_BR).sum(axis=1) - 1.0))
        worst = max(worst, abs(together - apart) / (1.0 + apart))
    return Checked(worst <= 1e-12, worst, 1e-12, "random prompts and policies, relative difference")


CLAIMS = (
    Claim(
        "cp-01",
        "the proxy goes with gold under the base policy, and less so under the optimized one",
        "the correlation falls or vanishes, in 4 settings (here the accuracy with which the proxy "
        "ranks a prompt's responses, which points hold)",
        "definition 4.2",
        more(Value(FREE, "auroc", 0.0), Value(FREE, "auroc", OWN_END)),
        figure="accuracy",
    ),
    Claim(
        "cp-02",
        "reward hacking: the policy that is optimized for the proxy has less gold than the base",
        "a definition, met in 4 settings",
        "definition 4.2",
        Positive(Gold(FREE, OWN_END), sign=-1),
        figure="runs",
    ),
    Claim(
        "cp-03",
        "at its best coefficient a chi^2 penalty ends with more gold than a KL penalty",
        "in 4 settings, RLHF among them",
        "abstract, table 1",
        more(
            Best(tuple(FinalGold(arm) for arm in CHI2.values())),
            Best(tuple(FinalGold(arm) for arm in KL.values())),
        ),
        figure="coefficients",
    ),
    Claim(
        "cp-04",
        "gold gain is at least (proxy gain - sqrt((1 - r^2) chi^2)) / r",
        "theorem 5.1; this form is derived here",
        "theorem 5.1",
        Exact(gain_is_bounded, "no policy on a list of responses breaks the bound"),
        figure="bound",
    ),
    Claim(
        "cp-05",
        "where a response is one action, regularizing occupancies is regularizing actions",
        "RLHF is treated as a bandit",
        "reviews of the paper",
        Exact(occupancies_are_actions, "both chi^2 are the same number"),
    ),
)


def _bound_lines() -> list[ComputedLine]:
    bound, gain = bounds_and_gains()
    near = bound > -10.0  # further below, the bound says nothing
    ends = np.array([-10.0, float(gain.max())])
    return [
        ComputedLine("policies", bound[near], gain[None, near], "dots"),
        ComputedLine("gain as large as the bound", ends, ends[None], "dashed"),
    ]


FIGURES = (
    LevelFigure(
        "coefficients", "table 1: gold of last policies by the penalty's coefficient",
        "coefficient (log10)", "gold (SDs of the initial policy)",
        tuple(
            (label, tuple((float(np.log10(c)), FinalGold(arm)) for c, arm in arms.items()))
            for label, arms in (("KL", KL), ("chi^2", CHI2))
        ),
    ),
    Figure(
        "runs", "ours: gold by penalty, along the run", "sqrt_kl", "gold_mean",
        (
            ("no penalty", FREE),
            *((f"KL {beta:g}", arm) for beta, arm in KL.items() if beta in (0.03, 0.3)),
            *((f"chi^2 {c:g}", arm) for c, arm in CHI2.items() if c in (0.03, 0.3)),
        ),
        beside="proxy_mean",
    ),
    Figure(
        "accuracy", "scatters of proxy and gold, as ranking accuracy along KL", "sqrt_kl", "auroc",
        (("no penalty", FREE), ("KL 0.1", KL[0.1]), ("chi^2 0.1", CHI2[0.1])),
    ),
    ComputedFigure(
        "bound", "theorem 5.1: gold gained against its lower bound",
        "(proxy gain - √((1 - r²) chi²)) / r (SDs of gold)", "gold gain (SDs)", _bound_lines,
        note="Bounds below -10 SDs are not shown.",
    ),
)  # fmt: skip

PAPER = Paper(
    name="correlated-proxies2024",
    title="Correlated Proxies: A New Definition and Improved Mitigation for Reward Hacking",
    url="https://arxiv.org/abs/2403.03185",
    grids={
        "smoke": Grid(
            task="tabular",
            seeds=3,
            without=frozenset(
                arm for arms in (KL, CHI2) for beta, arm in arms.items() if beta in (0.01, 0.3)
            ),
        ),
        "standard": Grid(),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Departures: policy gradient with a leave-one-out baseline for PPO, the penalty in the "
        "reward for the released code's in the loss, one grid of coefficients for both; gold of "
        "cp-03 is that of each run's last policy, and a run that passes the last KL budget ends "
        "there.",
    ),
)
