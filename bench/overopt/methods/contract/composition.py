"""Policies that are put together at every token, by methods of the families selection and merge.

    log pi(v | prefix) = c_0 log pi_ref + sum of c_m log pi_m + w (V(prefix + v) - mean V) + const

A method says with which weights; the engine samples the policy like any other, so that its KL per
token is exact.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class Composition(NamedTuple):
    """The weights of a composed policy.

    initial: c_0, of the initial policy.
    trained: c_m, of the last policy of each run (merge only).
    value: w, 1 / SDs of the reward, of the values that were learned (``contract.values``).
    top_k: tokens that the value's term touches, the likeliest without it, over which the mean of V
        is taken; 0 for all.
    """

    initial: float
    trained: tuple[float, ...] = ()
    value: float = 0.0
    top_k: int = 0


class ComposedMethod(Protocol):
    """A method whose policy is composed."""

    def compose(self, config: Any, knob: float, /) -> Composition:
        """The weights at this knob; the policy's KL is monotone and continuous in it."""
        ...
