"""Preference pairs on their way to a loss, for either engine: their order, layout and rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.methods.contract.reading import Reading
from overopt.models.logprobs import score_logps
from overopt.models.sequences import shuffle_batches
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens, concatenate


class ReferenceLogps(NamedTuple):
    """Log-probability of every response token under the reference, nats, float32, 0 on padding."""

    chosen_logp_PT: npt.NDArray[np.float32]
    rejected_logp_PT: npt.NDArray[np.float32]


def score_reference(reference: PreTrainedModel, pairs: Preferences) -> ReferenceLogps:
    """Score all pairs under the reference, once, so that no step has to run it again."""
    return ReferenceLogps(
        score_logps(reference, pairs.prompts, pairs.chosen),
        score_logps(reference, pairs.prompts, pairs.rejected),
    )


class LaidOutPairs(NamedTuple):
    """B pairs, ready for a pass: the chosen responses of all pairs, then the rejected ones.

    prompts: B prompts. responses: 2 B responses.
    before: (2, B, T), as the reference reads them, which stands in for the policy.
    tokens: the prompt's count twice, once before each response.
    """

    prompts: Tokens
    responses: Tokens
    before: Reading
    tokens: int


def lay_out(
    pairs: Preferences, reference: ReferenceLogps, index_B: npt.NDArray[np.integer]
) -> LaidOutPairs:
    """The pairs of one step."""
    taken = pairs.take(index_B)
    responses = concatenate([taken.chosen, taken.rejected])
    width = responses.ids_NT.shape[1]
    logp_2BT = torch.stack([pad_rows(logp_PT, index_B, width) for logp_PT in reference])
    mask_2BT = torch.from_numpy(responses.mask_NT).view(2, -1, width).to(logp_2BT)
    lengths = [2 * taken.prompts.length_N, taken.chosen.length_N, taken.rejected.length_N]
    tokens = sum(int(length_B.sum()) for length_B in lengths)
    return LaidOutPairs(taken.prompts, responses, Reading(logp_2BT, logp_2BT, mask_2BT), tokens)


def read_anchor(pairs: LaidOutPairs, anchor: PreTrainedModel | None) -> LaidOutPairs:
    """The same with what an anchor that a hook has set says of every response, if there is one."""
    if anchor is None:
        return pairs
    prompts = concatenate([pairs.prompts, pairs.prompts])
    logp_RT = torch.from_numpy(score_logps(anchor, prompts, pairs.responses))
    anchor_logp_2BT = logp_RT.view_as(pairs.before.reference_logp)
    return pairs._replace(before=pairs.before._replace(anchor_logp=anchor_logp_2BT))


def pad_rows(
    logp_PT: npt.NDArray[np.float32], index_B: npt.NDArray[np.integer], width: int
) -> Tensor:
    """These rows, brought to ``width`` columns; what is cut or added is padding."""
    rows_BT = torch.from_numpy(logp_PT[index_B, :width])
    return torch.nn.functional.pad(rows_BT, (0, width - rows_BT.shape[1]))


def pair_batches(
    pairs: Preferences,
    batch_size: int,
    rng: np.random.Generator,
    coupled: bool = False,
    fewest: int = 1,
) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of one batch after another, epoch after epoch, for ever.

    Every epoch is reshuffled. Pairs of similar length share a batch, which saves padding and makes
    no difference to a mean over pairs.

    Args:
        pairs: preference data.
        batch_size: pairs of a batch.
        rng: source of the order.
        coupled: whether pairs of a batch depend on each other; then lengths have no say in which
            do, so that a batch stands for the data.
        fewest: pairs of a batch of coupled ones; a smaller rest joins the batch before it.
    """
    starts = range(batch_size, pairs.rows() - fewest + 1, batch_size)
    length_P = pairs.prompts.length_N + np.maximum(pairs.chosen.length_N, pairs.rejected.length_N)
    while True:
        if coupled:
            yield from np.split(rng.permutation(pairs.rows()), list(starts))
        else:
            yield from shuffle_batches(length_P, batch_size, rng)


class PairsRow(NamedTuple):
    """One gradient step on preference pairs.

    kl_nats: estimate after the step; None where it was not measured.
    loss: mean over the batch before the step, in the method's own unit.
    chosen_log_ratio_nats, rejected_log_ratio_nats: mean log(pi / pi_ref) before the step.
    accuracy: fraction of pairs with chosen above rejected log-ratio before the step.
    """

    step: int
    kl_nats: float | None
    loss: float
    gradient_norm: float
    chosen_log_ratio_nats: float
    rejected_log_ratio_nats: float
    accuracy: float


def tell_step(rows: Sequence[PairsRow]) -> str:
    """The last step in words, with the KL as it was last measured."""
    kl_nats = next((row.kl_nats for row in reversed(rows) if row.kl_nats is not None), None)
    told = "" if kl_nats is None else f", KL {kl_nats:.3g} nats"
    return f"step {rows[-1].step}{told}, accuracy {rows[-1].accuracy:.2f}"
