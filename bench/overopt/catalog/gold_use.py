"""What a method or system says of its use of gold."""

from __future__ import annotations

from typing import cast, get_args

from overopt.catalog.declarations import Declaration, unknown
from overopt.errors import UserError
from overopt.spec.declare import GoldUse


def gold_use(found: Declaration, default: GoldUse | None = None) -> GoldUse:
    """USES_GOLD, which a method has to declare.

    Raises:
        UserError: it is none of the known uses; or it is missing, and there is no default.
    """
    declared = found.constants.get("USES_GOLD", default)
    if declared not in get_args(GoldUse):
        told = unknown("use of gold", str(declared), get_args(GoldUse))
        raise UserError(f"{found.source}: {told}")
    return cast(GoldUse, declared)
