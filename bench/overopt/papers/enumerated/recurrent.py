"""Direct alignment in a tree of decisions, by policies whose responses share parameters.

The tree, its references and its pairs are those of `tree`. The policy is a recurrent network of
Elman's kind that reads the choices made so far, so that what is learned at one place of the tree
changes the others, as in a language model. It starts at the reference, whose law it has learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from overopt.papers.enumerated import tree
from overopt.stats.arrays import Floats

HIDDEN = 16
LEARNING_STEPS, STEPS, RATE = 1500, 300, 0.01
"""Of Adam: until the reference is learned, and then on all pairs at once."""


def networks(seed: int, count: int) -> list[Tensor]:
    """Random parameters of some networks: first state, recurrence, choices, outputs, offsets."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((HIDDEN,), (HIDDEN, HIDDEN), (tree.CHOICES, HIDDEN), (HIDDEN, tree.CHOICES))
    drawn = [
        torch.randn((count, *shape), generator=generator, dtype=torch.float64) / HIDDEN**0.5
        for shape in shapes
    ]
    return [*drawn, torch.zeros((count, tree.CHOICES), dtype=torch.float64)]


def logits(parameters: Sequence[Tensor]) -> Tensor:
    """Logits (S, D, C) at every place of the tree, in the order of `tree`, level by level."""
    first_SH, recurrence_SHH, choice_SCH, output_SHC, offset_SC = parameters
    state_SNH = first_SH[:, None].tanh()
    levels = [state_SNH]
    for _ in range(tree.DECISIONS - 1):
        moved_SN1H = (state_SNH @ recurrence_SHH)[:, :, None]
        state_SNH = (moved_SN1H + choice_SCH[:, None]).tanh().flatten(1, 2)
        levels.append(state_SNH)
    return torch.cat(levels, dim=1) @ output_SHC + offset_SC[:, None]


@cache
def references() -> list[Tensor]:
    """Networks that have learned the laws of all references, down KL(law || network)."""
    law_SR = tree.token_logps(tree.instances().reference_SDC).sum(-1).exp()

    def loss(parameters: Sequence[Tensor]) -> Tensor:
        return -(law_SR * tree.token_logps(logits(parameters)).sum(-1)).sum()

    return tree.descend(networks(0, len(law_SR)), loss, LEARNING_STEPS, RATE)


@cache
def unseen(name: str, beta: float | None, steps: int = STEPS) -> Floats:
    """Probability of the responses that no pair holds, (S,), of aligned policies.

    Args:
        name: of the method.
        beta: of it; None for the reference.
        steps: of Adam.
    """
    start, pair_SP2 = references(), tree.instances().pair_SP2
    policy = start
    if beta is not None:
        loss = tree.alignment(name, beta, logits(start), pair_SP2)
        policy = tree.descend(start, lambda parameters: loss(logits(parameters)), steps, RATE)
    chance_SR = tree.token_logps(logits(policy)).sum(-1).exp()
    return chance_SR.scatter(1, pair_SP2.flatten(1), 0.0).sum(1).numpy()
