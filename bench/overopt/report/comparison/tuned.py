"""Whether the methods of a comparison had the same chance: how their learning rates were chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def rate_note(records: Iterable[Mapping[str, Any]]) -> str:
    """What must be known of learning rates before a ranking is believed, in a sentence.

    Args:
        records: the ``run.json`` of every run.

    Returns:
        Empty where fewer than two methods were trained.
    """
    searched: dict[str, set[bool]] = {}
    for record in records:
        for name, tuned in _trained(record):
            searched.setdefault(name, set()).add(tuned)
    if len(searched) < 2:
        return ""
    chosen = sorted(name for name, how in searched.items() if how == {True})
    left = sorted(searched.keys() - set(chosen))
    if not left:
        return "Each method's learning rate was chosen by the same search (bench tune)."
    if not chosen:
        return (
            "All methods were trained at the task's own learning rate; a ranking needs the same "
            "search for each (bench tune)."
        )
    return (
        f"Learning rates were chosen for {', '.join(chosen)}; at the task's own, and so not on a "
        f"par: {', '.join(left)} (bench tune)."
    )


def _trained(record: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Methods of a run that have a learning rate, and whether it was searched for."""
    spec = record.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("methods"), list):
        return
    for one in spec["methods"]:
        if isinstance(one, dict) and one.get("family") != "selection" and not one.get("member"):
            yield str(one.get("name")), spec.get("tuned") is True
