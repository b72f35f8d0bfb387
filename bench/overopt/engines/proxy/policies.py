"""A reward-side system of policies, opened once."""

from __future__ import annotations

from torch import Tensor

from overopt.engines.method.opened import Opened
from overopt.proxies.contract.policies import PolicyReading, Scores


class OpenedPolicies(Opened[Scores]):
    """Scores responses by the log-probabilities of two policies."""

    def score(self, reading: PolicyReading) -> Tensor:
        """Raw reward (N,).

        Raises:
            ValueError: it has another shape.
        """
        score_N = self._functions.score(self._config, reading)
        rows = len(reading.mask_NT)
        if tuple(score_N.shape) != (rows,):
            raise ValueError(
                f"{self.name}: score has shape {tuple(score_N.shape)} for {rows} responses; it "
                "must be one number for each"
            )
        return score_N
