"""Tries the reduction of steps of a proxy of the user's own on made-up numbers."""

from __future__ import annotations

import numpy as np
import torch

from overopt.engines.blame import blamed, check_finite
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.steps import OpenedSteps
from overopt.spec.system import ProxySystemSpec

_TOKENS = 9
_ENDS = ((8,), (2, 5), (0, 1, 2, 8), (3, 4))
"""Where the steps of the made-up responses end."""


def try_reduce(spec: ProxySystemSpec) -> None:
    """One finite score per response, out of its steps.

    Raises:
        UserError: it raises an error, or returns something of another shape or not finite.
    """
    mask_NT = np.zeros((len(_ENDS), _TOKENS), dtype=np.bool_)
    for row, ends in enumerate(_ENDS):
        mask_NT[row, list(ends)] = True
    step_NT = np.random.default_rng(0).normal(scale=3.0, size=mask_NT.shape)
    with blamed(spec.source, "its Config"):
        system = open_as(OpenedSteps, spec)
    with blamed(spec.source, "reduce"):
        score_N = system.reduce(step_NT, mask_NT)
    check_finite(spec.source, "reduce", torch.from_numpy(score_N))
