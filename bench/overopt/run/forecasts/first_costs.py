"""What a stage costs where none of its kind has run: by its work and the kind of its world.

Medians of processor seconds and bytes on one core, by the receipts of 1 to 400 stages each of the
shipped tasks; a quiet core takes about as long by the clock. A worker's first stage takes some 4 s
more, for torch. What was never measured in a kind of world is that of ``reviews``, by the size of
the rest; there, a gold that is a model, second_initial, trained_policy, routed_labels, the steps,
stack, merge, restart, angles, component_points, value, particles, judge and compose are guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from overopt.execution.costs import Cost
from overopt.execution.node import Node

_MEMORY_BYTES = 900_000_000
_Table = Mapping[str, tuple[float, int]]
"""Work -> seconds and bytes on disk."""

_REVIEWS: _Table = {
    "initial": (22.0, 440_000),
    "second_initial": (7.0, 440_000),
    "gold": (20.0, 800_000),
    "gold.rule": (0.02, 1_000),
    "pool": (18.0, 3_200_000),
    "pool_excerpt": (0.1, 90_000),
    "pairs": (0.6, 42_000),
    "labels": (0.03, 70_000),
    "rankings": (2.2, 5_000),
    "separation": (2.0, 1_000),
    "scores": (0.5, 2_000),
    "forward": (1.5, 1_000),
    "calibration": (1.1, 1_000),
    "proxy": (1.8, 160_000),
    "control_proxy": (0.01, 1_000),
    "merged_proxy": (0.2, 440_000),
    "anchored_proxy": (0.6, 890_000),
    "policy_proxy": (0.3, 890_000),
    "trained_policy": (4.0, 890_000),
    "opponents": (8.0, 630_000),
    "label_columns": (0.1, 10_000),
    "routed_labels": (10.0, 70_000),
    "score": (8.4, 2_400_000),
    "score.pool_excerpt": (0.5, 200_000),
    "score.evaluate": (0.85, 250_000),
    "step_labels": (0.5, 42_000),
    "step_proxy": (5.0, 160_000),
    "step_score": (0.6, 250_000),
    "front": (0.3, 2_000),
    "anneal": (9.0, 4_000),
    "optimize": (24.0, 5_800_000),
    "stack": (250.0, 48_000_000),
    "merge": (10.0, 6_000_000),
    "restart": (0.5, 440_000),
    "angles": (0.2, 7_000),
    "component_points": (6.0, 3_000),
    "value": (60.0, 400_000),
    "novelty": (28.0, 2_000_000),
    "features": (17.0, 48_000_000),
    "particles": (600.0, 900_000),
    "judge": (1.0, 900_000),
    "compose": (20.0, 1_200_000),
    "evaluate": (5.0, 700_000),
    "measure": (1.0, 57_000),
    "select": (1.5, 42_000),
}
_TABULAR: _Table = {
    "initial": (3.0, 110_000),
    "pool": (0.3, 83_000),
    "pool_excerpt": (0.01, 3_000),
    "listing": (0.25, 700_000),
    "pairs": (0.05, 7_000),
    "labels": (0.01, 26_000),
    "proxy": (0.2, 19_000),
    "score": (0.05, 58_000),
    "score.listing": (0.1, 300_000),
    "score.evaluate": (0.05, 67_000),
    "front": (0.12, 2_000),
    "optimize": (2.3, 1_300_000),
    "evaluate": (2.4, 257_000),
    "measure": (0.1, 29_000),
    "select": (0.25, 20_000),
}
_ARITHMETIC: _Table = {
    "initial": (40.0, 424_000),
    "pool": (13.0, 600_000),
    "pool_excerpt": (0.3, 55_000),
    "labels": (0.02, 41_000),
    "proxy": (3.2, 424_000),
    "trained_policy": (7.0, 850_000),
    "score": (3.5, 380_000),
    "score.evaluate": (0.6, 50_000),
    "step_labels": (0.9, 42_000),
    "step_proxy": (8.6, 424_000),
    "step_score": (0.6, 53_000),
    "front": (0.15, 1_000),
    "anneal": (0.05, 1_000),
    "optimize": (19.0, 2_100_000),
    "evaluate": (0.9, 60_000),
    "measure": (0.5, 22_000),
    "select": (0.5, 38_000),
}
_POOL: _Table = {
    "gold": (0.2, 1_000),
    "gold.rule": (0.2, 1_000),
    "pool": (1.8, 8_000),
    "listing": (0.01, 5_000),
    "pairs": (0.15, 17_000),
    "labels": (0.01, 23_000),
    "proxy": (1.6, 200_000),
    "score": (0.01, 5_000),
    "front": (0.07, 1_000),
    "select": (0.05, 15_000),
}
_OF_WORLD = {"reviews": _REVIEWS, "tabular": _TABULAR, "arithmetic": _ARITHMETIC, "pool": _POOL}
_SIZE = {"tabular": 0.1, "pool": 0.1}
"""Of a kind of world against reviews, for what was not measured there."""
_UNKNOWN = 10.0, 1_000_000


def first_cost(made: Node) -> Cost:
    """What a stage is expected to cost where none of its kind has run."""
    return _cost(_kind_of_world(made), _work_of(made))


def _kind_of_world(made: Node) -> str:
    """The kind of world that a stage belongs to, by its own parameters or those of an input."""
    for one in (made, *(given for _, given in made.inputs)):
        world = one.params.get("world")
        if world is not None:
            return str(world["kind"])
    return ""


def _work_of(made: Node) -> str:
    """The stage's name, and what else decides what it costs: which samples, which gold."""
    if made.name == "score":
        return f"score.{next(one.name for role, one in made.inputs if role == 'samples')}"
    if made.name == "gold":
        return f"gold.{made.params['gold']['kind']}"
    return made.name


@cache
def _cost(kind: str, work: str) -> Cost:
    table = _OF_WORLD.get(kind, _REVIEWS)
    stage = work.partition(".")[0]
    for name in (work, stage):
        if name in table:
            seconds, size_bytes = table[name]
            return Cost(seconds, size_bytes, _MEMORY_BYTES)
        if name in _REVIEWS:
            seconds, size_bytes = _REVIEWS[name]
            size = _SIZE.get(kind, 1.0)
            return Cost(size * seconds, int(size * size_bytes), _MEMORY_BYTES)
    seconds, size_bytes = _UNKNOWN
    return Cost(seconds, size_bytes, _MEMORY_BYTES)
