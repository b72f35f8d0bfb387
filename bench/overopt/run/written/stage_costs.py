"""What the artifacts that a run rests upon have cost, stage by stage, whoever made them."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from overopt.execution.costs import Receipt
from overopt.execution.node import Node, ancestry
from overopt.execution.store import Store

_REQUESTS = 32


def stage_costs(results: Iterable[Node], store: Store) -> list[dict[str, Any]]:
    """Artifacts and processor seconds of every stage, the dearest first.

    An artifact that several of them share counts once, and one that an earlier run has made counts
    too: the sum is what the run takes in an empty store, on the machines that made its parts. Two
    runs may share artifacts, so that sums over runs count them twice; ``bench store ls`` does not.

    Args:
        results: what the run was for: points, and what was looked at beside them.
        store: where the artifacts lie.

    Returns:
        Rows of ``stage``, ``artifacts``, ``cpu_s`` (seconds, three digits behind the point; None
        where none is recorded) and ``unknown``: artifacts whose cost is not recorded, which are no
        part of ``cpu_s``.
    """
    everything = list(ancestry(results))
    with ThreadPoolExecutor(_REQUESTS) as pool:  # a bucket takes many requests at once
        receipts = list(pool.map(lambda made: store.receipt(made.key), everything))
    found: dict[str, list[Receipt | None]] = {}
    for made, receipt in zip(everything, receipts, strict=True):
        found.setdefault(made.name, []).append(receipt)
    rows = []
    for stage, mine in found.items():
        spent_s = [receipt.cpu_s for receipt in mine if receipt is not None]
        rows.append(
            {
                "stage": stage,
                "artifacts": len(mine),
                "cpu_s": round(sum(spent_s), 3) if spent_s else None,
                "unknown": len(mine) - len(spent_s),
            }
        )
    return sorted(rows, key=lambda row: (-(row["cpu_s"] or 0.0), row["stage"]))
