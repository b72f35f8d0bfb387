"""Finished cells put into a store by hand: points and per-prompt gold, no model behind them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.tables import write_table
from overopt.execution.costs import Receipt
from overopt.execution.node import Node
from overopt.execution.outcomes import Failure
from overopt.execution.store import Store
from overopt.run.cell import Cell, Found
from overopt.run.graph import Graph

Floats = npt.NDArray[np.float64]


def receipt(made: Node, wall_s: float = 1.0) -> Receipt:
    """What a node has cost."""
    return Receipt(made.stage, made.label, wall_s, wall_s, 10, 20, 1, "host", 0.0, {}, made.kind)


def put(store: Store, made: Node, files: dict[str, Any]) -> Path:
    """Commit an artifact: JSON values, and tables as mappings of columns by ``.parquet`` names."""
    draft = store.draft(made.key)
    for name, value in files.items():
        if name.endswith(".parquet"):
            write_table(draft / name, value)
        else:
            (draft / name).write_text(json.dumps(value))
    with store.lock(made.key) as held:
        assert held
        store.commit(made.key, draft, made, {}, receipt(made))
    return store.folder(made.key)


def finish(
    store: Store,
    cell: Cell,
    budgets: Sequence[float | None],
    gold_KB: Floats,
    shown: Sequence[dict[str, Any]] = (),
    **more: Any,
) -> Found:
    """A cell with the initial policy (budget None) and a point per further budget.

    shown: its excerpts. more: further columns of its points.
    """
    graph = Graph(cell)
    made = graph.along_step((0.1,)) if cell.method.retrains else graph.select((0.1,))
    points = [
        {
            "step": k,
            "kl_nats": float(k),
            "kl_estimator": "rb",
            "kl_target_nats": budget,
            "gold_mean": float(gold_B.mean()),
            "proxy_mean": 0.0,
            "status": "ok",
            **more,
        }
        for k, (budget, gold_B) in enumerate(zip(budgets, gold_KB, strict=True))
    ]
    points.append({"kl_target_nats": 99.0, "status": "unreached"})
    prompts = gold_KB.shape[1]
    table = {
        "point": np.repeat(np.arange(len(budgets)), prompts),
        "prompt_id": np.tile(np.arange(prompts), len(budgets)),
        "gold": gold_KB.ravel(),
        "proxy": np.zeros(gold_KB.size),
    }
    files = {"points.json": points, "prompts.parquet": table, "excerpts.json": list(shown)}
    put(store, made, files)
    return Found(cell, made, None)


def fail(cell: Cell) -> Found:
    """A cell that failed."""
    return Found(cell, None, Failure("k", "optimize", "dpo, seed 0", "raised", "loss nan", "", "k"))
