"""A system whose members compare two responses, and need not rank them.

A file declares PAIRWISE = True. Its head is called with ``PairStates`` of B comparisons and returns
(B, 1), the logit that the first response is preferred; its loss finds in ``ReadBatch.chosen_P`` the
logit with the preferred response first, and in ``rejected_P`` that with the other first. Its
``Config`` has ``opponents``, J. A response scores the mean over J frozen responses y_j of the
initial policy to the same prompt of P(y > y_j), both orders averaged:
    P(y > y') = (sigmoid f(y, y') + 1 - sigmoid f(y', y)) / 2
"""

from __future__ import annotations

from typing import NamedTuple

from overopt.proxies.contract.heads import HeadStates


class PairStates(NamedTuple):
    """Hidden states of two responses to each of B prompts."""

    first: HeadStates
    second: HeadStates
