"""Mean and SD of every reward that a run has seen so far."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

LEAST_SD = 1e-8


class Moments(NamedTuple):
    """How many numbers were seen, their mean, and the sum of their squared distances from it."""

    numbers: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def seen(self, value: Tensor) -> Moments:
        """The moments with these numbers too.

        Reference:
            Algorithms for Computing the Sample Variance: Analysis and Recommendations, on two
            groups, https://doi.org/10.1080/00031305.1983.10483115
        """
        numbers, mean = self.numbers + value.numel(), value.mean().item()
        away = mean - self.mean
        own = (value - mean).square().sum().item()
        between = away**2 * self.numbers * value.numel() / numbers
        return Moments(
            numbers, self.mean + away * value.numel() / numbers, self.squares + own + between
        )

    def standardized(self, value: Tensor) -> Tensor:
        """Numbers less the mean, over the unbiased SD; same shape."""
        sd = math.sqrt(self.squares / max(self.numbers - 1, 1))
        return (value - self.mean) / max(sd, LEAST_SD)
