"""Which methods the engine stacked trains, told from their files without running them."""

from __future__ import annotations

from overopt.catalog.lookup import declaration, files
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.spec.declare import Family
from overopt.spec.method import MethodSpec
from overopt.spec.stacked import STACKED_INPUTS, unserved


def check_stackable(method: MethodSpec) -> None:
    """Refuse a method that a stack cannot train; one that trains nothing goes with any engine.

    Raises:
        UserError: it says why, and which methods a stack trains.
    """
    if method.trains == "selection":
        return
    if method.family not in STACKED_INPUTS:
        why = f"is of the family {method.family}"
        asked = list(STACKED_INPUTS)
    else:
        source = method.source if is_file(method.source) else method.name
        found = _unserved(source, method.family)
        if not found:
            return
        why, asked = f"has {' and '.join(found)}", [method.family]
    trained = [f"{', '.join(stackable_methods(family))} of the family {family}" for family in asked]
    raise UserError(
        f"{method.name} {why}, which the engine stacked does not serve: leave --engine out or say "
        f"--engine native; it trains {', and '.join(trained)}."
    )


def stackable_methods(family: Family) -> list[str]:
    """Shipped methods of a family that a stack trains."""
    named = [name for name, path in files("methods").items() if path.parent.name == family]
    return sorted(name for name in named if not _unserved(name, family))


def _unserved(name: str, family: Family) -> list[str]:
    """What a method has that a stack does not serve, in words."""
    found = declaration("methods", name)
    return unserved(family, found.constants.get("INPUTS", ()), found.functions)
