"""Responses of pairs with some of their content left out, in several degrees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from overopt.engines.learner import Learner
from overopt.engines.pair_data import LaidOutPairs
from overopt.methods.contract.reading import Reading
from overopt.models.logprobs import response_logps
from overopt.models.sequences import join
from overopt.worlds.tokens import Tokens, concatenate


class Degraded(NamedTuple):
    """Both responses of B pairs, 2 B rows as in ``LaidOutPairs``, each in one of K degrees.

    degree_R: from 0, nothing left out, to K - 1.
    """

    responses: Tokens
    degree_R: Tensor

    @property
    def tokens(self) -> int:
        """Response tokens of all rows."""
        return int(self.responses.length_N.sum())


def degrade(pairs: LaidOutPairs, degrees: int, generator: torch.Generator) -> Degraded:
    """Leave out of each response what the reference expected least.

    Of a response of L tokens in degree k of K, (L - 1) k/K tokens, rounded up, are left out: those
    of the lowest log-probability under the reference but for the last one, which may end it. The
    others move together.

    Args:
        pairs: B pairs, as the reference reads them.
        degrees: K.
        generator: of the degree of each response.
    """
    length_R = pairs.responses.length_N
    degree_R = torch.randint(degrees, (len(length_R),), generator=generator)
    logp_RT = pairs.before.reference_logp.flatten(0, 1).numpy().copy()
    position_T = np.arange(logp_RT.shape[1])
    logp_RT[position_T >= length_R[:, None] - 1] = np.inf
    rank_RT = logp_RT.argsort(axis=1, kind="stable").argsort(axis=1)
    count_R = np.ceil((length_R - 1) * degree_R.numpy() / degrees).astype(np.int32)
    kept_RT = (rank_RT >= count_R[:, None]) & pairs.responses.mask_NT
    return Degraded(Tokens.from_flat(pairs.responses.ids_NT[kept_RT], length_R - count_R), degree_R)


def read_degraded(learner: Learner, pairs: LaidOutPairs, degraded: Degraded) -> Reading:
    """The degraded responses after their prompts, with gradient, each with its degree for label."""
    prompts = concatenate([pairs.prompts, pairs.prompts])
    batch = join(prompts, degraded.responses, learner.policy.device)
    with torch.no_grad():
        reference_logp = response_logps(learner.reference, batch)
    before = Reading(reference_logp, reference_logp, batch.mask_BT.to(reference_logp))
    reference = learner.run_reference(batch) if learner.reads_reference else None
    reading = learner.run(batch, before, reference).reading
    return reading._replace(label=degraded.degree_R.to(reading.mask))
