"""Identities that papers state, against what they say about."""

from __future__ import annotations

import numpy as np


def regressional_deviation() -> float:
    """Largest deviation of E[X | X + Z = s] of normals, by quadrature, from its formula.

    E[X | s] = E[X] + (s - E[X] - E[Z]) Var X / (Var X + Var Z).

    Reference:
        Scaling Laws for Reward Model Overoptimization, equation 1, https://arxiv.org/abs/2210.10760
    """
    worst = 0.0
    x = np.linspace(-30.0, 30.0, 20_001)
    for mean_x, mean_z, var_x, var_z in ((0.0, 0.0, 1.0, 1.0), (0.5, -1.0, 2.0, 0.25)):
        for s in (-2.0, 0.3, 4.0):
            log_weight = -((x - mean_x) ** 2) / (2 * var_x) - (s - x - mean_z) ** 2 / (2 * var_z)
            weight = np.exp(log_weight - log_weight.max())
            measured = float((weight * x).sum() / weight.sum())
            formula = mean_x + (s - mean_x - mean_z) * var_x / (var_x + var_z)
            worst = max(worst, abs(measured - formula))
    return worst
