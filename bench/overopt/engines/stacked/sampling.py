"""Sampling from C policies at once, token by token as ``models.sampling`` has it for one.

The uniform numbers of a cell are drawn outside of the stack, by its own generator, in the native
sampler's order, so that both draw the same tokens but where rounding decides a tie. All cells stand
at the same position: columns count from the world's shortest prompt to its longest with the longest
response, whatever the prompts of a step are, and rows that have ended stay. A cell's arithmetic
then has the same shape whoever its neighbors are. Rows are filled up so that each cell's block
holds whole vectors: in elementwise functions, the last few numbers of a tensor take another path
than those before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from overopt.engines.stacked.decoder import StackedDecoder
from overopt.engines.stacked.model import StackedPolicy
from overopt.models.logprobs import token_logps
from overopt.models.sampling import Samples
from overopt.worlds.tokens import PAD, Tokens

_NO_TOKEN = -1
_ROWS = 32
"""Rows of a cell are filled up to a multiple of it."""


class Span(NamedTuple):
    """Tokens of the world's shortest and longest prompt, and of its longest response."""

    shortest: int
    longest: int
    new_tokens: int


class Ending(NamedTuple):
    """Tokens that a policy never emits, and those that end a response."""

    suppressed: list[int]
    stops: list[int]


class Asked(NamedTuple):
    """What a cell wants: N samples of each of B prompts.

    uniform_RT: float64, the number that draws each token, of R = B x N rows, prompt-major.
    """

    prompts: Tokens
    uniform_RT: Tensor


class _Columns(NamedTuple):
    """A cell's rows laid out by column; K columns count from the end of the shortest prompt.

    prompt_BL: int64, the prompts up to there. forced_KR: int64, the prompt's token where it goes
    on, else -1. uniform_KR: float64. last_R: the column after which the limit ends a row.
    """

    prompt_BL: Tensor
    forced_KR: Tensor
    uniform_KR: Tensor
    last_R: Tensor


@torch.no_grad()
def sample_stack(
    policy: StackedPolicy,
    weights: Mapping[str, Tensor],
    asked: Sequence[Asked | None],
    span: Span,
    ending: Ending,
) -> list[Samples | None]:
    """Responses of every cell that asks for some, at temperature 1.

    Token y_t is the smallest v with sum over u <= v of p(u | x, y_<t) > U_t, for U_t uniform.

    Args:
        policy: the forward pass.
        weights: of C policies.
        asked: of each cell, as many prompts and samples of all; None of a dummy.
        span: of the world, which gives the shapes.
        ending: of the policies.
    """
    some = next(one for one in asked if one is not None)
    prompts, rows = some.prompts.rows(), len(some.uniform_RT)
    filled = -(-rows // _ROWS) * _ROWS
    laid = [None if one is None else _lay_out(one, span, filled) for one in asked]
    blank = _blank(prompts, filled, span)
    device = next(iter(weights.values())).device
    columns = [one or blank for one in laid]
    prompt_CBL, forced_CKR, uniform_CKR, last_CR = (
        torch.stack(part).to(device) for part in zip(*columns, strict=True)
    )
    samples = rows // prompts
    index_R = (torch.arange(filled, device=device) // samples).clamp(max=prompts - 1)
    done_CR = torch.tensor([one is None for one in laid], device=device)[:, None].repeat(1, filled)
    done_CR[:, rows:] = True
    decoder = StackedDecoder(policy, weights, prompt_CBL, index_R, forced_CKR.shape[1])
    stops_V = torch.zeros(decoder.logits_CRV.shape[-1], dtype=torch.bool, device=device)
    stops_V[[stop for stop in ending.stops if stop < len(stops_V)]] = True
    ids, logps = [], []
    for column in range(forced_CKR.shape[1]):
        logp_CRV = token_logps(decoder.logits_CRV, ending.suppressed)
        token_CR = _draw(logp_CRV, uniform_CKR[:, column])
        logp_CR = logp_CRV.gather(2, token_CR.unsqueeze(2)).squeeze(2)
        forced_CR = forced_CKR[:, column]
        given_CR = forced_CR != _NO_TOKEN
        token_CR = torch.where(given_CR, forced_CR, token_CR)
        skipped_CR = done_CR | given_CR
        ids.append(token_CR.masked_fill(skipped_CR, _NO_TOKEN))
        logps.append(logp_CR.masked_fill(skipped_CR, 0.0))
        done_CR = done_CR | (stops_V[token_CR] & ~given_CR) | (last_CR <= column)
        if bool(done_CR.all()):
            break
        decoder.step(token_CR)
    ids_CRK = torch.stack(ids, 2).cpu().numpy()
    logp_CRK = torch.stack(logps, 2).cpu().numpy()
    return [
        None if one is None else _gather(one, ids_CRK[place, :rows], logp_CRK[place, :rows], span)
        for place, one in enumerate(asked)
    ]


def _draw(logp_CRV: Tensor, uniform_CR: Tensor) -> Tensor:
    """Tokens (C, R) by inverse CDF, summed in float64; one of probability 0 is never drawn."""
    cdf_CRV = logp_CRV.exp().cumsum(-1, dtype=torch.float64)
    threshold_CR1 = uniform_CR.unsqueeze(2) * cdf_CRV[..., -1:]
    drawn_CR1 = torch.searchsorted(cdf_CRV, threshold_CR1, right=True)
    return drawn_CR1.clamp_(max=logp_CRV.shape[-1] - 1).squeeze(2)


def _lay_out(asked: Asked, span: Span, filled: int) -> _Columns:
    """A cell's rows by column, filled up to so many."""
    prompts, uniform_RT = asked
    rows, samples = len(uniform_RT), len(uniform_RT) // prompts.rows()
    ids_BL = torch.full((prompts.rows(), span.longest), _NO_TOKEN, dtype=torch.int64)
    own_BL = torch.from_numpy(np.where(prompts.mask_NT, prompts.ids_NT, _NO_TOKEN))
    ids_BL[:, : own_BL.shape[1]] = own_BL
    blank = _blank(prompts.rows(), filled, span)
    offset_R = torch.from_numpy(prompts.length_N.astype(np.int64)).repeat_interleave(samples)
    offset_R = offset_R - span.shortest
    columns = len(blank.uniform_KR)
    token_RK = (torch.arange(columns) - offset_R[:, None]).clamp(0, span.new_tokens - 1)
    blank.uniform_KR[:, :rows] = uniform_RT.cpu().gather(1, token_RK).T
    spread = span.longest - span.shortest
    blank.forced_KR[:spread, :rows] = ids_BL[:, span.shortest :].repeat_interleave(samples, 0).T
    blank.last_R[:rows] = offset_R + span.new_tokens - 1
    return blank._replace(prompt_BL=ids_BL[:, : span.shortest])


def _blank(prompts: int, filled: int, span: Span) -> _Columns:
    """The rows of a cell that asks for nothing."""
    columns = span.longest - span.shortest + span.new_tokens
    return _Columns(
        torch.full((prompts, span.shortest), PAD, dtype=torch.int64),
        torch.full((columns, filled), _NO_TOKEN, dtype=torch.int64),
        torch.zeros(columns, filled, dtype=torch.float64),
        torch.zeros(filled, dtype=torch.int64),
    )


def _gather(
    asked: Asked,
    ids_RK: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    logp_RK: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    span: Span,
) -> Samples:
    """A cell's samples out of the columns that it was laid out in."""
    samples = len(ids_RK) // asked.prompts.rows()
    offset_R = np.repeat(asked.prompts.length_N.astype(np.int64), samples) - span.shortest
    column_RT = offset_R[:, None] + np.arange(span.new_tokens)
    within_RT = column_RT < ids_RK.shape[1]  # all rows may have ended before
    at_RT = np.minimum(column_RT, ids_RK.shape[1] - 1)
    ids_RT = np.where(within_RT, np.take_along_axis(ids_RK, at_RT, 1), _NO_TOKEN)
    logp_RT = np.where(within_RT, np.take_along_axis(logp_RK, at_RT, 1), 0.0)
    length_R = (ids_RT != _NO_TOKEN).sum(1, dtype=np.int32)
    width = int(length_R.max(initial=0))
    ids_RT = np.where(ids_RT == _NO_TOKEN, PAD, ids_RT)[:, :width]
    responses = Tokens(np.ascontiguousarray(ids_RT, np.int32), length_R)
    return Samples(responses, np.ascontiguousarray(logp_RT[:, :width], np.float32))
