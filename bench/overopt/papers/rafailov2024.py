"""Rafailov et al. 2024, "Scaling Laws for Reward Model Overoptimization in Direct Alignment
Algorithms".

The paper's text was not at hand: claims are taken from three independent notes that agree, and
section and figure numbers are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, log2, log10

import numpy as np

from overopt.papers.contract import (
    AcrossRuns,
    All,
    Along,
    Arm,
    Between,
    Checked,
    Claim,
    Computed,
    ComputedFigure,
    ComputedLine,
    Equal,
    Exact,
    Fall,
    Figure,
    Form,
    Grid,
    HeldOut,
    Hump,
    Last,
    LevelFigure,
    Minus,
    Paper,
    Peak,
    Positive,
    Value,
    more,
)
from overopt.stats.arrays import Floats

DAA = {name: Arm(name) for name in ("dpo", "ipo", "slic")}
REGULARIZED = Arm("lrdpo")
WIDE = Arm("dpo", settings=("dpo.beta=0.01",))
FORWARD = "forward_kl_nats"
SLOW = Arm("dpo", settings=("dpo.beta=0.01", "pairs.batch_size=8"))
STEPS_PER_EPOCH = 128
"""Of `SLOW`: with batches of 64 an epoch is 16 steps, and no budget is met within half of them."""
BETAS = (0.01, 0.5)
"""The smallest and the largest of the tree."""
BY_BETA = {0.01: WIDE, 0.1: DAA["dpo"], 0.5: Arm("dpo", settings=("dpo.beta=0.5",))}
WITHIN = 0.1
"""Of the forward KL: how near the chosen responses' log ratio has to be to it."""
WIDTHS = (32, 48, 64, 96)
BY_WIDTH = {width: Arm("dpo", settings=(f"policy.architecture.width={width}",)) for width in WIDTHS}


def _ratio_is_kl(name: str, beta: float) -> Computed:
    """The chosen responses' mean log ratio is minus the forward KL, to 10 % of it."""

    def difference() -> list[float]:
        from overopt.papers.enumerated.tree import chosen_ratios

        ratio_S, kl_S = chosen_ratios(name, beta)
        return list(-ratio_S / kl_S - 1.0)

    of = f"{name} in a tree, beta {beta:g}, from a reference that learned the chosen responses"
    return Computed(difference, f"{of}: minus the ratio over the KL, less 1", -WITHIN, WITHIN)


def _unseen(name: str) -> tuple[Computed, Computed]:
    """A small beta moves probability to responses that no pair holds, a large one less."""

    def gained() -> list[float]:
        from overopt.papers.enumerated.recurrent import unseen

        return list(unseen(name, BETAS[0]) - unseen(name, None))

    def above_large() -> list[float]:
        from overopt.papers.enumerated.recurrent import unseen

        return list(unseen(name, BETAS[0]) - unseen(name, BETAS[1]))

    of = f"probability outside of the pairs, {name}, recurrent policies, beta {BETAS[0]:g}"
    return Computed(gained, f"{of}, after less before"), Computed(
        above_large, f"{of} less beta {BETAS[1]:g}"
    )


def indifferent_to_a_third() -> Checked:
    """Pairs 1 > 2 and 2 > 1 over three responses: what the third one gets does not matter.

    The losses of this package's DPO, IPO and SLiC, over policies with every share of the third
    response and every ratio of the other two. The deviation is how far any policy with the
    reference's ratio is from the lowest loss of all.
    """
    import torch

    from overopt.methods.contract.pairs import PairBatch
    from overopt.methods.contract.reading import Reading
    from overopt.methods.pairs import dpo, ipo, slic

    third = 1.0 - 10.0 ** -np.linspace(0.0, 9.0, 40)  # from nothing to all but a billionth
    tilt = np.linspace(-4.0, 4.0, 81)  # of the log ratio of the other two; 0 is the reference's
    odds = 5.0 / 3.0 * np.exp(tilt)
    first = (1.0 - third)[:, None] * (odds / (1.0 + odds))
    second = (1.0 - third)[:, None] - first

    def reading(policy: Sequence[Floats], base: Sequence[float]) -> Reading:
        """Responses of one token each: one of the two per policy, then the other per policy."""
        logp = torch.tensor(np.log(np.concatenate([one.ravel() for one in policy])))[:, None]
        of_base = (
            torch.tensor(base, dtype=torch.float64).log().repeat_interleave(len(logp) // 2)[:, None]
        )
        return Reading(logp, of_base, torch.ones_like(logp))

    batch = PairBatch(reading((first, second), (0.5, 0.3)), reading((second, first), (0.3, 0.5)))
    worst = 0.0
    for method in (dpo, ipo, slic):
        loss_P = method.loss(method.Config(), batch).reshape(2, *first.shape).sum(dim=0)
        lowest = float(loss_P.min())
        worst = max(worst, float((loss_P[:, len(tilt) // 2] - lowest).max()) / abs(lowest))
    return Checked(worst <= 1e-9, worst, 1e-9, "losses of dpo, ipo and slic over 3,240 policies")


CLAIMS = (
    Claim(
        "daa-01",
        "quality of DPO, IPO and SLiC rises and falls along KL",
        "all three, at 3 sizes and 7 values of beta",
        "section 3.1, figure 1 (from notes)",
        All(tuple(Hump(arm) for arm in DAA.values())),
        figure="methods",
    ),
    Claim(
        "daa-02",
        "d (alpha - beta log d) predicts better than a quadratic in KL",
        "about half the error (of the fit; here the error held out)",
        "section 3.1 (from notes)",
        All(
            tuple(
                Positive(Minus(HeldOut(arm, Form.QUADRATIC_KL), HeldOut(arm, Form.RL)))
                for arm in DAA.values()
            )
        ),
        figure="methods",
    ),
    Claim(
        "daa-03",
        "with a small beta, a policy is best within the first half of an epoch",
        "at about 25 % of one epoch",
        "section 3.1, figure 2 (from notes)",
        Between(Peak(SLOW, "step"), -inf, STEPS_PER_EPOCH / 2),
        figure="epoch",
    ),
    Claim(
        "daa-04",
        "IPO falls less than DPO and SLiC",
        "little or no fall at 6.9B parameters",
        "section 3.1 (from notes)",
        All(tuple(more(Fall(DAA[name]), Fall(DAA["ipo"])) for name in ("dpo", "slic"))),
        figure="methods",
    ),
    Claim(
        "daa-05",
        "smaller policies fall more",
        "1B parameters almost at once",
        "section 3.1 (from notes)",
        Positive(
            Along("log width", tuple((log(w), Fall(arm)) for w, arm in BY_WIDTH.items())), sign=-1
        ),
        figure="sizes",
    ),
    Claim(
        "daa-06",
        "within a size, accuracy of the implicit reward and loss do not predict quality",
        "no relation, a weak one for IPO",
        "section 3.2, figure 4 (from notes)",
        All(
            (
                Equal(AcrossRuns((DAA["dpo"], WIDE), "heldout_loss_nats", "gold_mean"), 0.3),
                *(
                    Equal(AcrossRuns(runs, "implicit", "gold_mean"), 0.3)
                    for runs in ((DAA["dpo"], WIDE), (DAA["ipo"],), (DAA["slic"],))
                ),
            )
        ),
        figure="implicit",
    ),
    Claim(
        "daa-07",
        "length explains the log ratio best for the smallest policy and the smallest KL budget "
        "(the largest beta)",
        "R^2 of the regression, the sign",
        "figure 3 right (from notes)",
        All(
            (
                Positive(
                    Along(
                        "log width",
                        tuple((log(w), Value(arm, "length_r2")) for w, arm in BY_WIDTH.items()),
                    ),
                    sign=-1,
                ),
                Positive(
                    Along(
                        "log beta",
                        tuple((log(b), Last(arm, "length_r2")) for b, arm in BY_BETA.items()),
                    )
                ),
            )
        ),
        figure="length-r2",
    ),
    Claim(
        "daa-08",
        "with a length penalty quality still rises and falls",
        "the front moves, the hump stays (one note: it can get worse)",
        "figure 3 left (from notes)",
        Hump(REGULARIZED),
        figure="length",
    ),
    Claim(
        "daa-09",
        "the same form fits against forward KL",
        "it does",
        "figure 5 (from notes)",
        All(
            tuple(
                more(
                    HeldOut(arm, None, against=FORWARD),
                    HeldOut(arm, Form.RL, against=FORWARD),
                )
                for arm in DAA.values()
            )
        ),
        figure="forward",
    ),
    Claim(
        "daa-10",
        "the mean log ratio of chosen responses is about minus the forward KL",
        "an identity in expectation where the reference was trained on the chosen responses",
        "section 3.5, equation 7 (from notes)",
        All(tuple(_ratio_is_kl(name, beta) for name in DAA for beta in BETAS)),
        figure="ratio",
    ),
    Claim(
        "daa-11",
        "two responses preferred over each other: losses say nothing of how much a third one gets",
        "exact",
        "toy example (from notes)",
        Exact(
            indifferent_to_a_third,
            "any policy that keeps the reference's ratio of the two has the least loss, whatever "
            "the third gets",
        ),
    ),
    Claim(
        "daa-12",
        "a small beta moves probability to responses that no pair holds",
        "all three methods, in a tree",
        "toy figures (from notes)",
        All(tuple(rule for name in DAA for rule in _unseen(name))),
        figure="unseen",
    ),
)

TRACED = (0, 5, 10, 20, 40, 80, 150, 300)
"""Steps of Adam at which policies of the tree are shown."""


def _ratio_lines() -> list[ComputedLine]:
    from overopt.papers.enumerated.tree import chosen_ratios

    lines = []
    for beta in BETAS:
        found_T2S = np.stack([chosen_ratios("dpo", beta, steps) for steps in TRACED])
        ratio_ST, kl_ST = found_T2S[:, 0].T, found_T2S[:, 1].T
        lines.append(ComputedLine(f"chosen, beta {beta:g}", np.array(TRACED), ratio_ST))
        lines.append(ComputedLine(f"minus KL, beta {beta:g}", np.array(TRACED), -kl_ST, "dashed"))
    return lines


def _unseen_lines() -> list[ComputedLine]:
    from overopt.papers.enumerated.recurrent import unseen

    return [
        ComputedLine(
            f"{name}, beta {beta:g}",
            np.array(TRACED),
            np.stack([unseen(name, beta, steps) for steps in TRACED], axis=1),
            "line" if beta == BETAS[0] else "dashed",
        )
        for name in DAA
        for beta in BETAS
    ]


FIGURES = (
    Figure(
        "methods", "figure 1: three methods", "sqrt_kl", "win_rate",
        tuple((name, arm) for name, arm in DAA.items()),
        note="Which estimator the paper plots is not verified.",
    ),
    Figure(
        "gold", "figure 1, in gold", "sqrt_kl", "gold_mean",
        tuple((name, arm) for name, arm in DAA.items()), form=Form.RL,
    ),
    Figure(
        "forward", "figure 5, in gold: against the forward KL", "sqrt_forward_kl", "gold_mean",
        tuple((name, arm) for name, arm in DAA.items()),
    ),
    Figure(
        "sizes", "figure 1: DPO by the width of the policy", "sqrt_kl", "win_rate",
        tuple((f"width {width}", arm) for width, arm in BY_WIDTH.items()),
    ),
    Figure(
        "length", "figure 3 left: with and without a length penalty", "sqrt_kl", "win_rate",
        (("dpo", DAA["dpo"]), ("lrdpo", REGULARIZED)),
    ),
    Figure(
        "epoch", "figure 2: along training with a small beta", "step", "win_rate",
        (("dpo, beta 0.01, batches of 8", SLOW),),
        note=f"An epoch has {STEPS_PER_EPOCH} steps.",
    ),
    Figure(
        "implicit", "figure 4, in gold: accuracy of the implicit reward", "implicit", "gold_mean",
        (("dpo, beta 0.1", DAA["dpo"]), ("dpo, beta 0.01", WIDE), ("ipo", DAA["ipo"]),
         ("slic", DAA["slic"])), dots=True,
    ),
    Figure(
        "loss", "figure 4, in gold: loss on held-out pairs", "heldout_loss_nats", "gold_mean",
        (("dpo, beta 0.1", DAA["dpo"]), ("dpo, beta 0.01", WIDE)), dots=True,
    ),
    LevelFigure(
        "length-r2", "figure 3 right: how much of the log ratio length explains",
        "width of the policy (log2)", "R² of the log ratio on length",
        (("DPO", tuple((log2(w), Value(arm, "length_r2")) for w, arm in BY_WIDTH.items())),),
        end="figure",
    ),
    LevelFigure(
        "length-r2-beta", "figure 3 right: the same by beta, last policies", "beta (log10)",
        "R² of the log ratio on length",
        (("DPO", tuple((log10(b), Last(arm, "length_r2")) for b, arm in BY_BETA.items())),),
    ),
    ComputedFigure(
        "ratio", "equation 7: the chosen responses' log ratio under DPO", "step of Adam",
        "nats", _ratio_lines, note="In a tree of 27 responses, after references that learned the "
        "chosen ones; minus KL is of KL(reference || policy).",
    ),
    ComputedFigure(
        "unseen", "toy figures: probability of the responses that no pair holds", "step of Adam",
        "probability", _unseen_lines, note="Recurrent policies in a tree of 27 responses.",
    ),
)  # fmt: skip

PAPER = Paper(
    name="rafailov2024",
    title="Scaling Laws for Reward Model Overoptimization in Direct Alignment Algorithms",
    url="https://arxiv.org/abs/2406.02900",
    grids={
        "smoke": Grid(
            task="tabular",
            seeds=3,
            settings=("pairs.batch_size=32",),
            without=frozenset({*BY_WIDTH.values(), SLOW, BY_BETA[0.5]}),
        ),
        "standard": Grid(),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    looked={"forward": tuple(DAA.values())},
    notes=(
        "Departures: quality is gold and its win rate against the initial policy, where the paper "
        "asks a language model; labels are flipped at 25 %; one run is followed through KL, where "
        "the paper has a run for each beta, but for daa-07; daa-03 has batches of 8, so that "
        "budgets are met within an epoch; the held-out loss of daa-06 is DPO's. The paper has one "
        "seed in each cell. In the tree of daa-10 every place of a decision has logits of its own, "
        "so that responses share nothing but their beginnings; in that of daa-12 a recurrent "
        "network reads the choices. Which policy and which pairs the paper's tree has was not "
        "verified.",
    ),
)
