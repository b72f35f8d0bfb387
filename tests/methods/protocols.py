"""What the contract's protocols ask for: the functions of a family, with their arguments."""

from __future__ import annotations

import importlib
import inspect

from overopt.spec.declare import Family


def family_protocol(family: Family) -> type:
    """The protocol of a family's methods: of ``pairs`` it is ``contract.pairs.PairsMethod``."""
    module = importlib.import_module(f"overopt.methods.contract.{family}")
    protocol = getattr(module, f"{family.capitalize()}Method")
    assert isinstance(protocol, type)
    return protocol


def functions(protocol: type) -> dict[str, str]:
    """Name -> arguments, such as ``config, batch``, of what a protocol itself asks for."""
    return {
        name: ", ".join(list(inspect.signature(value).parameters)[1:])  # without self
        for name, value in vars(protocol).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
