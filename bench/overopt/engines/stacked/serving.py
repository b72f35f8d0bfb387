"""Which methods a stack trains."""

from __future__ import annotations

from overopt.engines.method.training import TrainedMethod
from overopt.errors import UserError
from overopt.spec.declare import Family
from overopt.spec.stacked import unserved


def check_method(family: Family, method: TrainedMethod) -> None:
    """Refuse a method that a stack cannot train.

    Raises:
        UserError: it asks for inputs, or acts between steps, in a way that is not served.
    """
    functions = {*method.native_only, *(["after_step"] if method.acts_on_weights else [])}
    found = unserved(family, method.inputs, functions)
    if found:
        raise UserError(
            f"{method.name} has {' and '.join(found)}, which the engine stacked does not serve; "
            "give --engine native."
        )
