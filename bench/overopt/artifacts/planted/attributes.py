"""Attributes of responses that are correlated as asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def correlated(differences: Mapping[str, Floats], correlation: float) -> dict[str, Floats]:
    """What sides of pairs differ by in each attribute, the others mixed with the first.

    z' = c z_first + sqrt(1 - c^2) z_rest, with z_first the first attribute's difference and z_rest
    the part of the other's that does not go with it, both in SDs over the pairs: so that over these
    pairs the correlation of each with the first is c, whatever it was.

    Args:
        differences: by attribute, first side less second, (P,).
        correlation: c, within -1 and 1.

    Raises:
        ValueError: an attribute is the same on both sides of all pairs, or goes with the first.
    """
    names = list(differences)
    first_P = _scaled(differences[names[0]], names[0])
    mixed = {names[0]: first_P}
    for name in names[1:]:
        one_P = _scaled(differences[name], name)
        rest_P = one_P - (one_P @ first_P) / (first_P @ first_P) * first_P
        mixed[name] = correlation * first_P + np.sqrt(1 - correlation**2) * _scaled(rest_P, name)
    return mixed


def _scaled(value_P: Floats, name: str) -> Floats:
    """Values in their root mean square; pairs have no preferred side, so that their mean is 0."""
    scale = float(np.sqrt(np.mean(value_P**2)))
    if scale < 1e-9:
        raise ValueError(f"the attribute {name} tells nothing of its own about these pairs")
    return np.asarray(value_P / scale, np.float64)
