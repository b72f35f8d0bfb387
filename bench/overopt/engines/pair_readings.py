"""Further readings of preference pairs, for methods that ask for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from overopt.engines.contract import required
from overopt.engines.learner import Learner
from overopt.engines.pair_data import LaidOutPairs
from overopt.engines.pair_inputs.proxy_view import Sampled
from overopt.methods.contract.pairs import PairBatch, Revisions
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import given
from overopt.models.logprobs import response_logps
from overopt.models.sequences import join
from overopt.worlds.tokens import Tokens, end_to_end


def read_mismatched(learner: Learner, pairs: LaidOutPairs) -> Reading:
    """The responses of each pair after the prompt of the pair before it, without gradient.

    Raises:
        ValueError: the batch holds a single pair, which has no other prompt.
    """
    count = pairs.prompts.rows()
    if count < 2:
        raise ValueError(
            f"{learner.name} needs 2 pairs or more in a batch, and here is one: set "
            "pairs.batch_size above 1, and give preference data of more than one pair"
        )
    before_B = np.roll(np.arange(count), 1)
    prompts = pairs.prompts.take(np.concatenate([before_B, before_B]))
    with torch.no_grad():
        return _read(learner, prompts, pairs.responses)


def read_revisions(learner: Learner, pairs: LaidOutPairs, separator: int | None) -> Revisions:
    """Both responses of each pair after its prompt and either of the two, with gradient.

    Args:
        learner: policy and reference, whose context holds a prompt and two responses.
        pairs: B pairs.
        separator: token between the answer and its revision.

    Raises:
        ValueError: there is no separator.
    """
    separator = required(separator, "a separator, which only generated worlds have")
    count = pairs.prompts.rows()
    chosen, rejected = np.arange(count), np.arange(count, 2 * count)
    answer_R = np.concatenate([rejected, rejected, chosen, chosen])
    revision_R = np.concatenate([chosen, rejected, chosen, rejected])
    asked = revision_prompts(
        pairs.prompts.take(answer_R % count), pairs.responses.take(answer_R), separator
    )
    reading = _read(learner, asked, pairs.responses.take(revision_R))
    return Revisions(*reading.group(count).unbind(0))


def read_listed(learner: Learner, pairs: PairBatch, sampled: Sampled) -> Reading:
    """Both responses of each pair, then the samples to its prompt, (B, 2 + N, T), with scores."""
    sides = pairs.chosen, pairs.rejected
    score_B2 = torch.stack([given(side.score, "listed") for side in sides], 1)
    score_BN = sampled.score_BN.to(score_B2)
    further = _read(learner, sampled.prompts, sampled.responses).group(score_BN.shape[1])
    tokens = max(sides[0].mask.shape[-1], further.mask.shape[-1])

    def together(of_sides: Sequence[Tensor], of_further: Tensor) -> Tensor:
        parts = torch.stack(list(of_sides), 1), of_further
        return torch.cat([pad(part, (0, tokens - part.shape[-1])) for part in parts], 1)

    return Reading(
        together([side.policy_logp for side in sides], further.policy_logp),
        together([side.reference_logp for side in sides], further.reference_logp),
        together([side.mask for side in sides], further.mask),
        score=torch.cat([score_B2, score_BN], 1),
    )


def revision_prompts(prompts: Tokens, answers: Tokens, separator: int) -> Tokens:
    """Prompts ``prompt | answer | separator`` that ask for a revision of the answer."""
    count = prompts.rows()
    ends = Tokens(np.full((count, 1), separator, np.int32), np.ones(count, np.int32))
    return end_to_end([prompts, answers, ends])


def _read(learner: Learner, prompts: Tokens, responses: Tokens) -> Reading:
    """Responses as policy, reference and anchor read them; the policy's part has a gradient."""
    batch = join(prompts, responses, learner.policy.device)
    anchor_logp: Tensor | None = None
    with torch.no_grad():
        reference_logp = response_logps(learner.reference, batch)
        if learner.anchor is not None:
            anchor_logp = response_logps(learner.anchor, batch)
    policy_logp = response_logps(learner.policy, batch)
    mask_RT = batch.mask_BT.to(policy_logp)
    return Reading(policy_logp, reference_logp, mask_RT, anchor_logp=anchor_logp)
