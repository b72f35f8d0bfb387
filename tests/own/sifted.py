"""A method of a user's own that resamples between tokens, twice in a response.

Paper: none, 2026. For tests of what filters particles.
Deviations: none.
"""

from dataclasses import dataclass

from overopt.methods.contract.particles import Floats, Grown
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("temperature", low=0.05, high=50.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of the sieve."""

    particles: int = param(4, help="answers side by side")
    steps: int = param(2, help="blocks of the longest response")


def potential(config: Config, grown: Grown, knob: float) -> Floats:
    """Scores over a temperature."""
    return grown.score_RN / knob
