"""What a method says of its use of the proxy."""

from __future__ import annotations

from overopt.catalog.declarations import Declaration
from overopt.errors import UserError
from overopt.spec.declare import OF_PROXY, Family

_REWARDED: tuple[Family, ...] = ("rollout", "iterative")
"""Families whose samples come with the proxy's rewards."""
_SCORES = (*OF_PROXY, "member_rewards", "step_rewards")


def is_blind(found: Declaration) -> bool:
    """Whether a method says that it does not look at its samples' rewards (READS_PROXY = False).

    Raises:
        UserError: it says something else; its family is handed no rewards; or it asks for scores.
    """
    declared = found.constants.get("READS_PROXY", True)
    if not isinstance(declared, bool):
        raise UserError(f"{found.source}: READS_PROXY = {declared!r} is neither True nor False.")
    if declared:
        return False
    family = found.constants["FAMILY"]
    if family not in _REWARDED:
        raise UserError(
            f"{found.source}: READS_PROXY is of methods whose samples have rewards "
            f"({', '.join(_REWARDED)}), not of the family {family}; remove it."
        )
    if asked := [name for name in found.constants.get("INPUTS", ()) if name in _SCORES]:
        raise UserError(
            f"{found.source}: INPUTS names {', '.join(asked)}, which the proxy says; remove "
            "READS_PROXY = False or the input."
        )
    return True
