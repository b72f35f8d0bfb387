"""A method of a user's own whose policy is composed: a geometric mixture with another's.

Paper: none, 2026. For tests of what composes a policy.
Deviations: none.
"""

from dataclasses import dataclass

from overopt.methods.contract.composition import Composition
from overopt.spec.declare import knob, param

FAMILY = "merge"
KNOB = knob("share", low=0.01, high=1.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of the mixture."""

    member: str = param("dpo", help="method whose trained policy is mixed in")


def compose(config: Config, knob: float) -> Composition:
    """pi_ref^(1 - share) pi^share at every token."""
    return Composition(1.0 - knob, (knob,))
