"""What a system may make of all pairs before its members are trained, such as weights of pairs.

A file with ``prepare`` is shown every pair of the preference data at once, as the initial policy
reads it. What it returns stands beside the columns of LABELS in ``ReadBatch.labels``, by name.
OPTIMIZED = "rloo" names a method; the last policy of a run of it is shown too: on the same pairs
for a method of the family pairs, and for one that samples against plain reward models of the same
pairs, as many as ``members``. Fields that the Config of both have are the method's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract import ProxySystem

Floats = npt.NDArray[np.float64]


class KnownPairs(NamedTuple):
    """P pairs of the preference data, in their order.

    chosen_PD, rejected_PD: hidden states of the initial policy's last layer, at the last token of
        the preferred response and of the other.
    labels: the columns that LABELS names, see ``overopt.proxies.contract.labels``.
    chosen_ratio_P, rejected_ratio_P: log-probability of either response under the optimized policy
        less that under the initial one, nats; None without OPTIMIZED.
    optimized_PD: state at the end of a response of the optimized policy to the pair's prompt.
    """

    chosen_PD: Floats
    rejected_PD: Floats
    labels: Mapping[str, npt.NDArray[Any]] = MappingProxyType({})
    chosen_ratio_P: Floats | None = None
    rejected_ratio_P: Floats | None = None
    optimized_PD: Floats | None = None


class Prepares(ProxySystem, Protocol):
    """A module that looks at all pairs first."""

    def prepare(self, config: Any, known: KnownPairs, /) -> Mapping[str, Floats]:
        """Further columns by name, (P,) or (P, ...) each."""
        ...
