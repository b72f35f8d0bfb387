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

from overopt.models.sequences import Batch
from overopt.worlds.tokens import Tokens


class Seen(NamedTuple):
    """What the policy says of G groups of N rows now.

    logp_GNT: log-probabilities of the tokens, nats.
    forward_kl_GNT: KL(pi_ref || pi) of the next token, nats; None unless asked for.
    output_GNTC: outputs of the method's own module; None where it has none.
    """

    logp_GNT: Tensor
    forward_kl_GNT: Tensor | None = None
    output_GNTC: Tensor | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> Seen:
        """The same of every kind that is there."""
        kl, output = self.forward_kl_GNT, self.output_GNTC
        return Seen(
            change(self.logp_GNT),
            None if kl is None else change(kl),
            None if output is None else change(output),
        )

    def nothing(self) -> Tensor:
        """Zero, with a gradient of zero on all that was computed."""
        return sum(((0.0 * part.sum()) for part in self if part is not None), torch.zeros(()))


class Step(NamedTuple):
    """All groups of a step, the same on every process: a prompt's samples, or a pair.

    prompts: G prompts. responses: G x N responses, group after group.
    logp_GNT: the policy's log-probabilities of some earlier time, to stand in for those of now.
    mask_GNT: 1 on response tokens.
    loss: of every group, or of each of its rows, out of what the policy says now.
    """

    prompts: Tokens
    responses: Tokens
    logp_GNT: Tensor
    mask_GNT: Tensor
    loss: Callable[[Seen], Tensor]


class Pass(NamedTuple):
    """One forward and backward pass of one process over some groups of a step.

    index_K: which groups. batch: their joined rows.
    counts: false where a process has nothing to do but takes part.
    others: what the policy says of all groups; None where nobody has asked it before this pass.
    """

    step: Step
    index_K: Tensor
    batch: Batch
    counts: bool
    others: Seen | None = None


def splice(whole: Seen, index_K: Tensor, own: Seen) -> Seen:
    """The whole step with some groups replaced; gradients flow through these only."""

    def put(value: Tensor | None, mine: Tensor | None) -> Tensor | None:
        return None if value is None or mine is None else value.index_copy(0, index_K, mine)

    return Seen(
        whole.logp_GNT.index_copy(0, index_K, own.logp_GNT),
        put(whole.forward_kl_GNT, own.forward_kl_GNT),
        put(whole.output_GNTC, own.output_GNTC),
    )


def blank(step: Step, own: Seen) -> Seen:
    """Zeros for all groups of a step, of the kinds that ``own`` has."""
    groups = len(step.mask_GNT)
    return own.map(lambda part: part.new_zeros(groups, *part.shape[1:]))


def stand_in(step: Step, own: Seen) -> Seen:
    """Numbers in place of what the policy says, for a loss that does not need them of others."""
    return blank(step, own)._replace(logp_GNT=step.logp_GNT.to(own.logp_GNT))


def is_row_wise(step: Step, seen: Seen) -> bool:
    """Whether a group's loss stays the same when the policy says something else of other groups.

    Tried on the step at hand, moved at random, as at a run's start many numbers are all zero: first
    the groups of even number are changed and those of odd number looked at, then the reverse.
    """
    generator = torch.Generator().manual_seed(0)
    start = _moved(seen, step.mask_GNT, generator)
    with torch.no_grad():
        loss_G = step.loss(start)
        even_G = torch.arange(len(loss_G), device=loss_G.device) % 2 == 0
        for changed_G in (even_G, ~even_G):
            index_K = torch.nonzero(changed_G).flatten()
            other = _moved(start, step.mask_GNT, generator)
            part = other.map(partial(torch.index_select, dim=0, index=index_K))
            again_G = step.loss(splice(start, index_K, part))
            if not torch.allclose(again_G[~changed_G], loss_G[~changed_G], rtol=1e-5, atol=1e-7):
                return False
    return True


def _moved(seen: Seen, mask_GNT: Tensor, generator: torch.Generator) -> Seen:
    """Every number moved by up to 1 where there are tokens, log-probabilities downwards."""

    def up(value: Tensor) -> Tensor:
        drawn = torch.rand(value.shape, generator=generator).to(value)
        return value + drawn * mask_GNT.view(*mask_GNT.shape, *(1,) * (value.dim() - 3))

    return seen.map(up)._replace(logp_GNT=-up(-seen.logp_GNT))
