"""Whole submissions of made-up entries, as folders that T0 takes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.execution.canonical import canonical_json
from overopt.leaderboard.submission.pages import dump_page
from overopt.leaderboard.tiers.arithmetic import recompute
from overopt.leaderboard.tiers.completeness import identity_of
from overopt.run.written.csv_text import to_csv
from overopt.spec.columns import POINT_COLUMNS
from overopt.spec.run import RunSpec
from overopt.stats.budgets import budget_gap, is_met

from .honest import Entry, make_entry, remade

PROMPTS, EACH = 16, 64  # of the task tabular


def spec_of(method: str, worlds: int, seeds: int) -> RunSpec:
    """What ``bench run --task tabular --kl-grid`` resolves to."""
    request = Request(method=[method], task="tabular", worlds=worlds, seeds=seeds)
    return resolve(replace(request, kl_grid=[]))


def rows_of(entry: Entry, spec: RunSpec) -> list[list[dict[str, Any]]]:
    """Rows of ``points.csv`` of every cell: the measured ones, then budgets out of reach."""
    method, cells = spec.methods[0], []
    for cell, samples in zip(entry.cells, entry.samples, strict=True):
        known = {
            **identity_of(cell),
            "task": spec.task.name,
            "gold": spec.gold.name,
            "method": method.name,
            "engine": spec.engine,
            "along": spec.along if method.retrains else "knob",
            "knob": method.knob.name,
        }
        rows: list[dict[str, Any]] = [
            {
                **known,
                "step": 0,
                "kl_nats": 0.0,
                "kl_se": 0.0,
                "kl_estimator": "definition",
                "gold_mean": 0.0,
                "gold_se": 0.1,
                "proxy_mean": 0.0,
                "win_rate": 0.5,
                "n_prompts": PROMPTS,
                "n_samples": 16384,
                "status": "ok",
            }
        ]
        open_budgets = list(spec.kl_grid_nats)
        for k in range(1, len(samples.measured_K)):
            point: dict[str, Any] = dict(recompute(cell, samples, k, entry.estimators[k]))
            for name in ("n_prompts", "n_samples"):
                if name in point:
                    point[name] = int(point[name])
            point.setdefault("n_samples", 16384)
            nearest = min(open_budgets, key=lambda b: budget_gap(point["kl_nats"], b))
            if is_met(point["kl_nats"], nearest):
                point["kl_target_nats"] = nearest
                open_budgets.remove(nearest)
            knob = {"step": k, "knob_value": 0.1, "kl_estimator": entry.estimators[k]}
            rows.append({**known, **point, **knob, "status": "ok"})
        rows += [
            {**known, "kl_target_nats": budget, "status": "unreached"} for budget in open_budgets
        ]
        cells.append(rows)
    return cells


def numbered(entry: Entry, cells: list[list[dict[str, Any]]]) -> Entry:
    """The entry whose pages name the rows that its points have in the whole table."""
    start, pages = 0, []
    for samples, rows in zip(entry.samples, cells, strict=True):
        shift = start - int(samples.measured_K[0])
        pages.append(
            samples._replace(
                point=samples.point + np.int32(shift),
                measured_K=samples.measured_K + np.int32(shift),
            )
        )
        start += len(rows)
    return replace(entry, samples=pages)


class Folder:
    """A submission that is being written; what it says can be changed before ``write``.

    document: submission.json. contents: bytes by path.
    """

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.document: dict[str, Any] = {
            "format": 1,
            "entry": "made-up",
            "summary": "A made-up entry.",
            "who": "A. Name",
            "contact": "name@example.org",
            "license": "Apache-2.0",
            "method": {"kind": "shipped", "name": "dpo"},
            "environment": {
                "python": "3.11.7",
                "overopt": "0.1.0",
                "platform": "Linux x86_64",
                "packages": {"numpy": "2.4.6"},
            },
            "runs": [],
        }

    def file(self, path: str, content: bytes) -> dict[str, Any]:
        """Put a file in, and return what the document says of it."""
        self.contents[path] = content
        digest = hashlib.sha256(content).hexdigest()
        return {"path": path, "sha256": digest, "bytes": len(content)}

    def add_run(
        self,
        role: str,
        entry: Entry,
        spec: RunSpec,
        rows: list[list[dict[str, Any]]] | None = None,
    ) -> None:
        """Put a run in; ``rows`` in place of those that follow from its samples."""
        cells = rows_of(entry, spec) if rows is None else rows
        entry = numbered(entry, cells)
        number = len(self.document["runs"])
        table = to_csv(POINT_COLUMNS, [row for cell in cells for row in cell])
        parts = []
        for index, (cell, samples) in enumerate(zip(entry.cells, entry.samples, strict=True)):
            page = {
                "file": self.file(f"runs/{number}/{index:03d}.safetensors", dump_page(samples)),
                "rows": len(samples.point),
                "tokens": int(samples.responses.length_N.sum()),
                "policy_logp": len(samples.policy_logp) > 0,
                "prompts": PROMPTS,
                "points": len(samples.measured_K),
            }
            parts.append({**cell.to_json(), "page": page, "policies": []})
        value = spec.to_json()
        self.document["runs"].append(
            {
                "role": role,
                "spec": value,
                "spec_sha256": hashlib.sha256(canonical_json(value).encode()).hexdigest(),
                "commit": "0" * 40,
                "dirty": False,
                "points": self.file(f"runs/{number}/points.csv", table.encode()),
                "cells": parts,
            }
        )

    def write(self, folder: Path) -> Path:
        """Write all of it."""
        for path, content in self.contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        (folder / "submission.json").write_text(json.dumps(self.document))
        return folder


def reweighted(entry: Entry) -> Entry:
    """The entry as that of a method that reweights a pool, with its draws."""
    samples = [
        one._replace(policy_logp=np.zeros(0), kl_rb=np.zeros(0), entropy=np.zeros(0))
        for one in entry.samples
    ]
    names = ["definition"] + ["pool"] * (len(entry.estimators) - 1)
    return Entry(entry.cells, samples, names)


def made(seed: int = 0, worlds: int = 2, seeds: int = 2) -> tuple[Entry, Entry]:
    """An entry and its control, in the same worlds."""
    rng = np.random.default_rng(seed)
    own = make_entry(rng, worlds, seeds, PROMPTS, EACH)
    control = make_entry(rng, worlds, seeds, PROMPTS, EACH)
    pairs = zip(own.cells, control.samples, strict=True)
    samples = [remade(cell, one) for cell, one in pairs]
    return own, reweighted(replace(control, cells=own.cells, samples=samples))


def make_folder(seed: int = 0, worlds: int = 2, seeds: int = 2) -> Folder:
    """An honest submission."""
    own, control = made(seed, worlds, seeds)
    folder = Folder()
    folder.add_run("method", own, spec_of("dpo", worlds, seeds))
    folder.add_run("control", control, spec_of("bon", worlds, seeds))
    return folder
