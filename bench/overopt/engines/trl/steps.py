"""One optimizer step whose groups are spread over processes and passes, with its exact gradient.

A method's loss may look at all groups of a step at once (PPO's normalized advantages do), so a
loss of parts is not a part of the loss. Every pass therefore hands the method the whole step, in
which the pass's own groups carry a gradient and the others are numbers. Summed over passes and
processes these gradients are that of the whole step, whatever the method does with it.

Where a group's loss does not depend on what the policy says of other groups, the others' numbers
are not needed, which saves a pass without gradient; ``is_row_wise`` finds that out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.models.sequences import Batch
from overopt.worlds.tokens import Tokens


class Step(NamedTuple):
    """All groups of a step, the same on every process: a prompt's N samples, or a pair.

    prompts: G prompts. responses: G x N responses, group after group.
    before: (G, N, T), as the policy or its reference read them at some earlier time.
    loss: of every group, or of each of its rows, out of what the policy reads now.
    """

    prompts: Tokens
    responses: Tokens
    before: Reading
    loss: Callable[[Reading], Tensor]


class Pass(NamedTuple):
    """One forward and backward pass of one process over some groups of a step.

    index_K: which groups. batch: their joined rows.
    counts: false where a process has nothing to do but takes part.
    others: all groups as the policy reads them; None where it has not read them before this pass.
    """

    step: Step
    index_K: Tensor
    batch: Batch
    counts: bool
    others: Reading | None = None


def nothing(own: Reading) -> Tensor:
    """Zero, with a gradient of zero on all that was computed."""
    return sum(((0.0 * part.sum()) for part in own.policy_parts().values()), torch.zeros(()))


def splice(whole: Reading, index_K: Tensor, own: Reading) -> Reading:
    """The whole step with some groups replaced; gradients flow through these only."""
    mine = own.policy_parts()
    parts = whole.policy_parts().items()
    return whole._replace(**{n: part.index_copy(0, index_K, mine[n]) for n, part in parts})


def blank(step: Step, own: Reading) -> Reading:
    """Zeros for what the policy says of all groups of a step, of the kinds that ``own`` has."""
    groups = len(step.before.mask)
    parts = own.policy_parts().items()
    return step.before._replace(**{n: p.new_zeros(groups, *p.shape[1:]) for n, p in parts})


def stand_in(step: Step, own: Reading) -> Reading:
    """Numbers in place of what the policy says, for a loss that does not need them of others."""
    return blank(step, own)._replace(policy_logp=step.before.policy_logp.to(own.policy_logp))


def is_row_wise(step: Step, now: Reading) -> bool:
    """Whether a group's loss stays the same when the policy says something else of other groups.

    Tried on the step at hand, moved at random, as at a run's start many numbers are all zero: first
    the groups of even number are changed and those of odd number looked at, then the reverse.
    """
    generator = torch.Generator().manual_seed(0)
    start = _moved(now, generator)
    with torch.no_grad():
        loss_G = step.loss(start)
        even_G = torch.arange(len(loss_G), device=loss_G.device) % 2 == 0
        for changed_G in (even_G, ~even_G):
            index_K = torch.nonzero(changed_G).flatten()
            other = _moved(start, generator)
            part = other.map(partial(torch.index_select, dim=0, index=index_K))
            again_G = step.loss(splice(start, index_K, part))
            if not torch.allclose(again_G[~changed_G], loss_G[~changed_G], rtol=1e-5, atol=1e-7):
                return False
    return True


def _moved(now: Reading, generator: torch.Generator) -> Reading:
    """What the policy says moved by up to 1 where there are tokens, log-probabilities downward."""

    def up(value: Tensor) -> Tensor:
        drawn = torch.rand(value.shape, generator=generator).to(value)
        return value + drawn * now.mask.view(*now.mask.shape, *(1,) * (value.dim() - 3))

    return now.map_policy(up)._replace(policy_logp=-up(-now.policy_logp))
