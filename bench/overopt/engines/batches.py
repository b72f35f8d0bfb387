"""Batches of a loss out of a pass over joined rows: samples, or chosen above rejected."""

from __future__ import annotations

from torch import Tensor

from overopt.engines.forward import Judged
from overopt.methods.contract.iterative import SampleBatch
from overopt.methods.contract.pairs import PairBatch


def pair_batch(judged: Judged, reference_logp_RT: Tensor, mask_RT: Tensor) -> PairBatch:
    """R = 2 B rows, the chosen responses of all pairs first, then the rejected ones."""
    chosen_logp_BT, rejected_logp_BT = judged.logp_RT.chunk(2)
    reference_chosen_BT, reference_rejected_BT = reference_logp_RT.chunk(2)
    chosen_mask_BT, rejected_mask_BT = mask_RT.to(chosen_logp_BT).chunk(2)
    chosen_kl_BT, rejected_kl_BT = _halves(judged.forward_kl_RT)
    chosen_output_BTC, rejected_output_BTC = _halves(judged.output_RTC)
    return PairBatch(
        chosen_logp_BT,
        rejected_logp_BT,
        reference_chosen_BT,
        reference_rejected_BT,
        chosen_mask_BT,
        rejected_mask_BT,
        chosen_kl_BT,
        rejected_kl_BT,
        chosen_output_BTC,
        rejected_output_BTC,
    )


def sample_batch(judged: Judged, reference_logp_RT: Tensor, mask_RT: Tensor) -> SampleBatch:
    """One response per row."""
    return SampleBatch(
        judged.logp_RT,
        reference_logp_RT,
        mask_RT.to(judged.logp_RT),
        judged.forward_kl_RT,
        judged.output_RTC,
    )


def _halves(value_RT: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    if value_RT is None:
        return None, None
    chosen, rejected = value_RT.chunk(2)
    return chosen, rejected
