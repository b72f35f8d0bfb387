"""Whether submitted samples are as likely under the weights that came along as own samples are.

Given what stands before it, a token x_t that a policy p draws has f(x_t) with mean E_p f and
variance Var_p f, for every function f of a token, and p is known at each position. So

    z = sum over t of (f(x_t) - E_p f) / sqrt(sum over t of Var_p f)

has mean 0 and, over thousands of tokens, a normal distribution, whatever the policy: the terms are
differences of a martingale. No sample of ours is needed, so that nothing but the submitted samples'
own noise stands against a forgery. Three functions are used:

- f = log p: the derivative of the log-likelihood by 1 / temperature at 1, so that no other test of
  a small change of the temperature has more power (Rao's score test); cutting off unlikely tokens
  (top-p, top-k) moves it as well;
- f = log q, q the initial policy: samples of a policy that is nearer to it, or farther away;
- f = 1 where a token ends the response: responses chosen by their length.

Each policy is tested, and all of them together, by the sum over them; two-sided, Bonferroni over
functions, policies and the two levels. Samples that were chosen by gold need not be more or less
likely; they are for ``same_source``.

Reference: C. R. Rao, "Large sample tests of statistical hypotheses concerning several parameters
with applications to problems of estimation" (1948), from memory; Hall and Heyde, "Martingale Limit
Theory and Its Application" (1980), theorem 3.2, from memory. ``verification.md`` has the rate of
false alarms that was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import norm
from transformers import PreTrainedModel

from overopt.models.logprobs import BATCH_TOKENS, choose_logps, predict_logps
from overopt.models.packed import is_plain
from overopt.models.sequences import align, batch_rows, join
from overopt.models.weights import evaluating
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]

FUNCTIONS = ("likelihood", "likelihood under the initial policy", "ends")


class Score(NamedTuple):
    """Of N samples of one policy, for each of ``FUNCTIONS``.

    sum_NF: of f - E f over a sample's tokens. variance_NF: of Var f, over the same.
    """

    sum_NF: Floats
    variance_NF: Floats


class LikelihoodTest(NamedTuple):
    """p: over everything. z: of what says most. policy: its position; None for all together."""

    p: float
    z: float
    policy: int | None
    function: int


def score_samples(
    policy: PreTrainedModel,
    reference: PreTrainedModel,
    prompts: Tokens,
    responses: Tokens,
    stop_ids: Sequence[int],
) -> Score:
    """Sums over the tokens of each of N responses to N prompts, in float64."""
    shape = responses.rows(), len(FUNCTIONS)
    sum_NF, variance_NF = np.zeros(shape), np.zeros(shape)
    length_N = prompts.length_N + responses.length_N
    with evaluating(policy), evaluating(reference):
        for index_B in batch_rows(length_N, BATCH_TOKENS, is_plain(reference)):
            batch = join(prompts.take(index_B), responses.take(index_B), policy.device)
            logp_BKV, logq_BKV = predict_logps(policy, batch), predict_logps(reference, batch)
            logp_BTV = align(logp_BKV, batch).double()
            chance_BTV = logp_BTV.exp()
            logq_BTV = align(logq_BKV, batch).double()
            end_V = torch.zeros(chance_BTV.shape[-1], dtype=torch.float64)
            end_V[list(stop_ids)] = 1.0
            target_BK = batch.ids_BL[:, batch.prompt_length_min :]
            ends_BT = align(end_V.to(target_BK.device)[target_BK], batch)
            for f, (of_token_BT, of_all_BTV) in enumerate(
                (
                    (choose_logps(logp_BKV, batch).double(), logp_BTV),
                    (choose_logps(logq_BKV, batch).double(), logq_BTV),
                    (ends_BT, end_V.to(chance_BTV.device).expand_as(chance_BTV)),
                )
            ):
                # what is never drawn has a chance of exactly 0 and a huge logarithm
                seen_BTV = torch.where(chance_BTV > 0, of_all_BTV, 0.0)
                mean_BT = (chance_BTV * seen_BTV).sum(-1)
                spread_BT = (chance_BTV * (seen_BTV - mean_BT.unsqueeze(-1)) ** 2).sum(-1)
                gap_BT = (of_token_BT - mean_BT).masked_fill(~batch.mask_BT, 0.0)
                sum_NF[index_B, f] = gap_BT.sum(-1).cpu().numpy()
                spread_BT = spread_BT.masked_fill(~batch.mask_BT, 0.0)
                variance_NF[index_B, f] = spread_BT.sum(-1).cpu().numpy()
    return Score(sum_NF, variance_NF)


def judge_likelihood(scores: Sequence[Score]) -> LikelihoodTest:
    """Test that every policy's samples are its own.

    Raises:
        ValueError: there is no policy.
    """
    if not scores:
        raise ValueError("there is no policy to test")
    sum_PF = np.stack([one.sum_NF.sum(axis=0) for one in scores])
    variance_PF = np.stack([one.variance_NF.sum(axis=0) for one in scores])
    best = LikelihoodTest(1.0, 0.0, None, 0)
    levels = [(False, sum_PF.sum(0, keepdims=True), variance_PF.sum(0, keepdims=True))]
    if len(scores) > 1:
        levels.append((True, sum_PF, variance_PF))
    for is_single, sum_XF, variance_XF in levels:
        z_XF = sum_XF / np.sqrt(np.maximum(variance_XF, 1e-12))
        x, f = np.unravel_index(int(np.abs(z_XF).argmax()), z_XF.shape)
        z = float(z_XF[x, f])
        p = min(1.0, len(levels) * z_XF.size * 2 * float(norm.sf(abs(z))))
        if p < best.p:
            best = LikelihoodTest(p, z, int(x) if is_single else None, int(f))
    return best
