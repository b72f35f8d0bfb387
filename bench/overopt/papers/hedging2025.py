"""Khalaf et al. 2025, "Inference-Time Reward Hacking in Large Language Models".

Claims are those of the abstract and of the authors' site; equations were not at hand. Exact claims
are computed over listed responses whose proxy quantiles are evenly spaced.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

from overopt.papers.contract import (
    All,
    Arm,
    Checked,
    Claim,
    ComputedFigure,
    ComputedLine,
    Exact,
    Figure,
    FinalGold,
    Grid,
    Paper,
    more,
)
from overopt.stats.arrays import Floats
from overopt.stats.pools import best_of_poisson, soft_best_of_n
from overopt.stats.pools.listed import by_quantile, kl_listed, uniform

PLAIN = {
    "bon": Arm("bon"),
    "bop": Arm("bop"),
    "soft-bon": Arm("soft-bon", settings=("soft-bon.n=64",)),
}
HEDGED = {rule: Arm("hedgetune", settings=(f"hedgetune.rule={rule}",)) for rule in ("bon", "bop")}
HEDGED["soft-bon"] = Arm("hedgetune", settings=("hedgetune.rule=soft-bon", "hedgetune.n=64"))
LISTED = 400
SHAPES = {"up": (1.0, 1.2), "down": (1.0, -0.2), "hump": (1.0, 0.7), "dip": (-1.0, 0.7)}
"""Sign and turn of -sign (u - turn)^2: gold by the proxy's quantile u of the figure."""

Rule = Callable[[Floats, Floats, float], Floats]
"""From scores and reference, both (B, R), and a strength to a policy."""
RULES: dict[str, Rule] = {
    "best-of-n": lambda s, q, x: by_quantile(s, q, lambda u: u ** (1.0 + x)),
    "best-of-Poisson": best_of_poisson.policy,
    "soft best-of-64": lambda s, q, x: soft_best_of_n.policy(s, q, 64, 1.0 / x),
}


def one_turn_at_most() -> Checked:
    """Gold turns at most once in the strength of a rule where it does so in the quantile.

    Gold that rises, falls, humps and dips in the proxy's quantile, with the turn at 40 places. The
    deviation is the largest number of turns beyond one.
    """
    u = (np.arange(LISTED) + 0.5) / LISTED
    score, reference = u[None] * LISTED / 20.0, uniform(1, LISTED)
    strengths = np.exp(np.linspace(np.log(0.02), np.log(200.0), 60))
    shapes, worst = set[str](), 0
    for rule in RULES.values():
        policy_KR = np.concatenate([rule(score, reference, float(x)) for x in strengths])
        policy_KR = np.concatenate((reference, policy_KR))
        for turn in np.linspace(-0.2, 1.2, 40):
            for sign in (1.0, -1.0):
                step = np.diff(policy_KR @ (-sign * (u - turn) ** 2))
                signs = np.sign(step[np.abs(step) > 1e-9])
                worst = max(worst, int(np.sum(signs[1:] != signs[:-1])))
                shapes.add({(1, 1): "up", (-1, -1): "down", (1, -1): "hump", (-1, 1): "dip"}[
                    int(signs[0]), int(signs[-1])])  # fmt: skip
    words = f"3 rules, 80 golds, 61 strengths; shapes met: {', '.join(sorted(shapes))}"
    beyond = max(worst - 1, 0) + (len(shapes) < 4)
    return Checked(beyond == 0, float(beyond), 0.0, words)


@cache
def behind_the_tilt(name: str) -> Floats:
    """KL, how far a rule is behind its tilt, and KL from that tilt, over strengths, (3, K).

    The tilt is the exponential one of the same KL; behind is in the proxy's mean quantile, in SDs
    of the quantile; KL of 0.05 to 4 nats.
    """
    u = (np.arange(4000) + 0.5) / 4000
    reference = uniform(1, u.size)

    def tilted(strength: float) -> Floats:
        return softmax(strength * u)[None]

    found = []
    for strength in np.exp(np.linspace(np.log(0.1), np.log(150.0), 50)):
        policy = RULES[name](u[None], reference, float(strength))
        kl = float(kl_listed(policy, reference)[0])
        if not 0.05 <= kl <= 4.0:
            continue
        tilt = tilted(
            brentq(lambda x, kl=kl: float(kl_listed(tilted(x), reference)[0]) - kl, 1e-3, 2e3)
        )
        behind = float(((tilt - policy) @ u)[0]) / float(u.std())
        found.append((kl, behind, float(kl_listed(policy, tilt)[0])))
    return np.array(found, np.float64).T


def poisson_is_near_the_tilt() -> Checked:
    """Mean proxy quantile of best-of-Poisson and of the exponential tilt of the same KL.

    The deviation is the largest difference over KL from 0.05 to 4 nats, in SDs of the quantile;
    that of best-of-n has to be larger, or being near would say nothing of best-of-Poisson.
    """
    (_, poisson, poisson_nats), (_, plain, plain_nats) = (
        behind_the_tilt(name).max(axis=1) for name in ("best-of-Poisson", "best-of-n")
    )
    words = (
        f"the tilt is ahead of best-of-Poisson by at most {poisson:.2g} SD of the quantile, of "
        f"best-of-n by {plain:.2g}; KL from the tilt {poisson_nats:.2g} and {plain_nats:.2g} nats"
    )
    return Checked(bool(poisson <= 0.01 and poisson < plain), float(poisson), 0.01, words)


@cache
def tuned(turn: float, rule: Literal["bon", "bop"]) -> tuple[Floats, Floats, float, float]:
    """Strengths (K,), mean gold at each, the strength that HedgeTune finds and its mean gold.

    Of 12 prompts with 150 responses, whose gold is highest where the proxy's rank is ``turn``.
    """
    from overopt.methods.contract.selection import ScoredPool
    from overopt.methods.selection import hedgetune

    generator = np.random.default_rng(round(10 * turn))
    proxy = generator.normal(size=(12, 150))
    rank = proxy.argsort(axis=1).argsort(axis=1) / 150.0
    gold = -4.0 * (rank - turn) ** 2 + 0.3 * generator.normal(size=rank.shape)
    pool, config = ScoredPool(proxy, uniform(*proxy.shape)), hedgetune.Config(rule=rule)

    def mean_gold(x: float) -> float:
        return float((hedgetune.weights(config, pool, x) * gold).sum(axis=1).mean())

    grid = np.exp(np.linspace(np.log(hedgetune.KNOB.low), np.log(hedgetune.KNOB.high), 150))
    root = hedgetune.tune(config, pool, gold)
    return grid, np.array([mean_gold(float(x)) for x in grid]), root, mean_gold(root)


TURNS: tuple[float, ...] = (0.5, 0.9)
SAMPLED: tuple[Literal["bon", "bop"], ...] = ("bon", "bop")


def the_root_is_the_best() -> Checked:
    """The strength that HedgeTune finds has the highest mean gold of a fine grid of strengths."""
    worst = 0.0
    for turn in TURNS:
        for rule in SAMPLED:
            _, gold, _, found = tuned(turn, rule)
            worst = max(worst, float(gold.max()) - found)
    words = "bon and bop on 2 lists, 150 strengths each; how much the grid's best is ahead"
    return Checked(worst <= 1e-4, worst, 1e-4, words)


CLAIMS = (
    Claim(
        "hedge-01",
        "true reward rises, falls, humps or dips in the strength of a sampling rule: it turns once "
        "at most",
        "a theorem, under total positivity",
        "abstract and the authors' site",
        Exact(one_turn_at_most, "at most one change of sign on exact curves, all four shapes met"),
        figure="shapes",
    ),
    Claim(
        "hedge-02",
        "best-of-Poisson stays close to the optimal tilted distribution of the same KL",
        "near-exact",
        "abstract and the authors' site",
        Exact(
            poisson_is_near_the_tilt,
            "EQ 0.01 SD of the proxy's quantile at equal KL, and nearer than best-of-n, computed",
        ),
        figure="poisson",
    ),
    Claim(
        "hedge-03",
        "the root of the residual is the best strength",
        "the definition of HedgeTune",
        "the authors' site",
        Exact(the_root_is_the_best, "gold at the root is that of the best of 150 strengths"),
        figure="root",
    ),
    Claim(
        "hedge-04",
        "hedged rules end with at least as much gold as the same rules at their largest n",
        "they mitigate hacking",
        "abstract",
        All(
            tuple(
                more(FinalGold(HEDGED[x], "kl_nats"), FinalGold(PLAIN[x], "kl_nats")) for x in PLAIN
            )
        ),
        figure="hedged",
    ),
)


def _shape_lines() -> list[ComputedLine]:
    """Mean gold of best-of-n less that of one sample, by the shape of gold."""
    u, n = (np.arange(LISTED) + 0.5) / LISTED, np.exp(np.linspace(np.log(1.02), np.log(200.0), 60))
    reference, lines = uniform(1, LISTED), []
    rule = RULES["best-of-n"]
    policy_KR = np.concatenate([rule(u[None] * LISTED / 20.0, reference, x - 1.0) for x in n])
    for shape, (sign, turn) in SHAPES.items():
        gold = -sign * (u - turn) ** 2
        lines.append(ComputedLine(shape, n, ((policy_KR - reference) @ gold)[None]))
    return lines


def _poisson_lines() -> list[ComputedLine]:
    found = {name: behind_the_tilt(name) for name in ("best-of-n", "best-of-Poisson")}
    return [ComputedLine(name, one[0], one[1:2]) for name, one in found.items()]


def _root_lines() -> list[ComputedLine]:
    lines = []
    for turn in (0.5, 0.7):
        grid, gold, root, found = tuned(turn, "bon")
        lines.append(ComputedLine(f"gold turns at rank {turn:g}", grid, gold[None]))
        found_at = np.array([root]), np.array([[found]])
        lines.append(ComputedLine(f"root found, {turn:g}", *found_at, "dots"))
    return lines


FIGURES = (
    Figure(
        "hedged", "curves of rules, hedged and not", "sqrt_kl", "gold_mean",
        (
            *((rule, arm) for rule, arm in PLAIN.items()),
            *((f"{rule}, hedged", arm) for rule, arm in HEDGED.items()),
        ),
        beside="proxy_mean",
    ),
    ComputedFigure(
        "shapes", "the four shapes of gold along the strength of best-of-n", "n of best-of-n",
        "gold less that of one sample", _shape_lines, log_x=True,
        note="Gold is a parabola in the proxy's quantile, so that its unit is arbitrary.",
    ),
    ComputedFigure(
        "poisson", "how far rules are behind the optimal tilt of the same KL", "KL (nats)",
        "proxy's quantile, the tilt's less the rule's (SDs)", _poisson_lines, log_y=True,
        note="The curves themselves cannot be told apart by eye.",
    ),
    ComputedFigure(
        "root", "gold by strength, and the root of the residual", "strength of best-of-n",
        "gold", _root_lines, log_x=True,
    ),
)  # fmt: skip

PAPER = Paper(
    name="hedging2025",
    title="Inference-Time Reward Hacking in Large Language Models",
    url="https://arxiv.org/abs/2506.19248",
    grids={
        "smoke": Grid(task="tabular", seeds=3),
        "standard": Grid(),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "The hedged strength is found on gold of half of the held-out prompts and read on the "
        "other half. A rule is read at the strongest of its policies that was measured, in each "
        "seed: hedged, at the strength that was found; plain, at the last KL budget that the pool "
        "reaches. Soft best-of-n draws 64.",
    ),
)
