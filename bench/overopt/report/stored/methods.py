"""What a run's record says of its methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from overopt.spec.declare import OF_PROXY, PROXY_BLIND

RESHAPED = "selection"
"""The family whose methods leave the weights of the initial policy as they are."""

_BLIND_UNSAID = (
    "overopt.methods.iterative.cream",
    "overopt.methods.iterative.self_reward",
    "overopt.methods.iterative.spin",
)
"""Methods of which older records do not say that they leave rewards unread."""

Part = Literal["method", "proxy"]
PARTS: tuple[Part, ...] = ("method", "proxy")
USES_GOLD = "uses gold"
"""Follows the names of what is told of gold beyond the comparisons that all learn from."""
GOLD_USES = ("none", "steps", "selection", "training")
"""Uses of gold beyond noisy comparisons, the least first."""


def gold_use(*parts: Mapping[str, Any]) -> str:
    """The most that specifications of a method and of a proxy say of their use of gold.

    What this version does not know counts as the most.
    """

    def use(of: Mapping[str, Any]) -> str:
        if of.get("step_scores") is True:
            return "steps"
        told = str(of.get("uses_gold", "none"))
        return told if told in GOLD_USES else "training"

    return max(map(use, parts), key=GOLD_USES.index)


def parts_of(record: Mapping[str, Any], part: Part) -> Iterator[Mapping[str, Any]]:
    """The specifications of a run's parts, ``method`` or ``proxy``; what is none is left out."""
    spec = record.get("spec")
    named = {"method": "methods", "proxy": "proxies"}[part]
    parts = spec.get(named) if isinstance(spec, dict) else None
    for one in parts if isinstance(parts, list) else ():
        if isinstance(one, dict):
            yield one


def told_of_gold(record: Mapping[str, Any], part: Part) -> set[str]:
    """Names of a run's methods or proxies that use gold beyond noisy comparisons."""
    return {str(one.get("name")) for one in parts_of(record, part) if gold_use(one) != "none"}


def marked_methods(record: Mapping[str, Any], names: Iterable[str]) -> str:
    """Names of a run's methods, each marked where it uses gold."""
    told = told_of_gold(record, "method")
    shown = [f"{name}, {USES_GOLD}" if name in told else name for name in sorted(set(names))]
    return ", ".join(shown)


def methods_of(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The specifications of a run's methods."""
    return parts_of(record, "method")


def families_of(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names of a run's methods with their families."""
    for one in methods_of(record):
        name, family = one.get("name"), one.get("family")
        if isinstance(name, str) and isinstance(family, str):
            yield name, family


def pays_once(spec: Mapping[str, Any]) -> bool:
    """Whether the policies of a stored record are paid for in training, and not with every answer.

    A decoding rule changes the next token's probabilities, so that an answer is one sample.
    """
    return spec.get("family") != RESHAPED or bool(spec.get("composes"))


def sees_proxy(spec: Mapping[str, Any]) -> bool:
    """`overopt.spec.method.MethodSpec.sees_proxy` of a stored record, which may be an older one."""
    trained = spec
    while isinstance(trained.get("member"), Mapping):
        trained = trained["member"]
    trains = trained.get("member_family") or trained.get("family")
    asks = not set(OF_PROXY).isdisjoint(trained.get("needs", ()))
    blind = bool(trained.get("blind")) or trained.get("source") in _BLIND_UNSAID
    return bool(spec.get("values")) or asks or not (blind or trains in PROXY_BLIND)
