"""What the engine stacked serves of the families whose cells it trains side by side."""

from __future__ import annotations

from collections.abc import Collection

from overopt.spec.declare import Family, MethodInput

STACKED_INPUTS: dict[Family, tuple[MethodInput, ...]] = {
    "pairs": ("random_batches",),
    "rollout": (
        "policy_states",
        "reference_states",
        "forward_kl",
        "reverse_kl",
        "collision_logp",
        "member_rewards",
    ),
}
"""By family, what a method may ask for besides log-probabilities."""

_STACKED_FUNCTIONS: dict[Family, tuple[str, ...]] = {"pairs": (), "rollout": ("observe",)}
"""By family, which of the functions below a method may have."""

_ACTING = (
    "after_step",
    "after_round",
    "before_steps",
    "observe",
    "observe_gold",
    "observe_pairs",
    "perturb",
    "mixture",
    "temperature",
    "first_anchor",
)
"""Functions by which a method acts beside its loss."""


def unserved(family: Family, inputs: Collection[str], functions: Collection[str]) -> list[str]:
    """What a method of a family has that a stack does not serve, in words; empty: it is trained.

    Args:
        family: one of ``STACKED_INPUTS``.
        inputs: its INPUTS.
        functions: names of the functions that its file defines.
    """
    asked = sorted(set(inputs) - set(STACKED_INPUTS[family]))
    acting = [name for name in _ACTING if name in functions]
    refused = [name for name in acting if name not in _STACKED_FUNCTIONS[family]]
    return [
        *(["INPUTS with " + ", ".join(asked)] if asked else []),
        *(["the function " + " and the function ".join(refused)] if refused else []),
    ]
