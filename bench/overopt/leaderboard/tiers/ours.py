"""What we find for the tokens of a page."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Recomputed(NamedTuple):
    """Numbers of each sample, (R,), as we find them, and of the world's initial policy.

    proxy_offset_se: of a mean over as many responses as recenter the proxy.
    start_gold_B: mean gold of each prompt under the initial policy, in SDs.
    in_pool: share of the responses that the initial policy's pool has for their prompt.
    reweights: whether the method's policies are that pool with other weights.
    """

    reference_logp: Floats
    gold: Floats
    proxy: Floats
    gold_mean: float
    gold_sd: float
    proxy_offset: float
    proxy_offset_se: float
    start_gold_B: Floats
    in_pool: float
    reweights: bool = False
