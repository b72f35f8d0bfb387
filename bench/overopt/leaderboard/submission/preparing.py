"""Prepares a submission: what runs and the store still have, as a folder of plain files."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from overopt.errors import UserError
from overopt.execution.code.modules import is_file, load
from overopt.execution.store import Store
from overopt.execution.synced import sync_tree
from overopt.leaderboard.submission.evidence.contract import Evidence, Made
from overopt.leaderboard.submission.pages import dump_page
from overopt.leaderboard.submission.parts import DOCUMENT
from overopt.leaderboard.submission.schema import Submission
from overopt.report.stored.run import Run
from overopt.report.stored.run_folder import find_runs, read_run
from overopt.run.cell import Cell, Found
from overopt.run.cells import cells_of
from overopt.run.records import named
from overopt.spec.explanations import explain
from overopt.spec.run import RunSpec

CONTROL = "bon"
"""The method whose run in the same worlds every submission brings along."""
_UPSTREAM = re.compile(r"(https://[^@\s]+)@([0-9a-f]{40}):(\S+)")


@dataclass(frozen=True)
class Author:
    """Who submits, under which name, and on which terms; see ``schema.Submission``."""

    entry: str | None
    summary: str
    who: str
    contact: str
    license: str


def prepare(
    folders: Sequence[Path],
    method: str | None,
    author: Author,
    out: Path,
    store: Store,
    policies: str,
    told: Callable[[str], None] = lambda words: None,
) -> Submission:
    """Write the folder of a submission.

    Args:
        folders: run folders, those of the control among them.
        method: a Python file, ``URL@COMMIT:PATH`` of one in a public repository, or None for a
            method that overopt ships.
        author: who submits.
        out: the folder; it must not exist.
        store: where the runs' artifacts are.
        policies: whose weights come along: ``none``, ``end`` (the last of every cell) or ``all``.
        told: called with what is being done.

    Raises:
        UserError: a run, the method or the store lacks something, in one sentence.
    """
    if out.exists():
        raise UserError(f"--out {out} exists; give a folder that does not, or remove it.")
    runs = [read_run(folder) for folder in find_runs(folders)]
    specs = [_spec(run) for run in runs]
    name = _submitted(method, specs)
    draft = out.with_name(f".{out.name}-{secrets.token_hex(4)}")
    try:
        draft.mkdir(parents=True)
        own_file = Path(method) if method is not None and Path(method).is_file() else None
        writing = _Writing(draft, store, policies, own_file, told)
        parts = [
            writing.run(number, run, spec, "method" if spec.methods[0].name == name else "control")
            for number, (run, spec) in enumerate(zip(runs, specs, strict=True))
        ]
        own = [one for one in zip(runs, specs, strict=True) if one[1].methods[0].name == name]
        value = {
            "format": 1,
            "entry": author.entry or name,
            "summary": author.summary,
            "who": author.who,
            "contact": author.contact,
            "license": author.license,
            "method": writing.method(method, *own[0]),
            "environment": _environment(own[0][0].record),
            "runs": parts,
        }
        text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"
        submission = _checked(text)
        (draft / DOCUMENT).write_text(text)
        sync_tree(draft)
        draft.rename(out)
    except OSError as error:
        raise UserError(
            f"--out {out} cannot be written ({error.strerror}); give another."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return submission


def _checked(text: str) -> Submission:
    try:
        return Submission.model_validate_json(text)
    except ValidationError as error:
        raise UserError(explain(error, "The submission", Submission)) from error


def _spec(run: Run) -> RunSpec:
    try:
        return RunSpec.model_validate_json(json.dumps(run.record.get("spec")))
    except ValidationError as error:
        told = explain(error, f"{run.folder / 'run.json'}: spec", RunSpec)
        raise UserError(f"{told} The run is of another version; run it again.") from error


def _submitted(method: str | None, specs: Sequence[RunSpec]) -> str:
    """Name of the submitted method; all other runs must be of the control."""
    names = list(dict.fromkeys(spec.methods[0].name for spec in specs))
    others = [name for name in names if name != CONTROL]
    chosen = (others or names)[0]
    if method is not None:
        chosen = Path(method.rpartition(":")[2]).stem.replace("_", "-")
        if chosen not in names:
            raise UserError(
                f"--method {method}: none of the runs is of {chosen}, they are of "
                f"{', '.join(names)}; give its run folders."
            )
    strange = [name for name in names if name not in (chosen, CONTROL)]
    if strange:
        raise UserError(
            f"The runs are of {', '.join(names)}; a submission is of one method, beside the "
            f"control {CONTROL}, so leave out those of {strange[0]}."
        )
    return chosen


def _environment(record: Mapping[str, Any]) -> dict[str, Any]:
    packages = record.get("packages")
    known = packages if isinstance(packages, dict) else {}
    return {
        "python": record.get("python"),
        "overopt": record.get("overopt"),
        "platform": record.get("machine"),
        "packages": known,
    }


class _Writing:
    """Writes the files of one submission, and returns what the document says of them."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        policies: str,
        own: Path | None,
        told: Callable[[str], None],
    ) -> None:
        self._folder, self._store, self._policies, self._told = folder, store, policies, told
        self._own = {} if own is None else {own.name: own.resolve()}

    def _file(self, path: str, content: bytes) -> dict[str, Any]:
        place = self._folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return {"path": path, "sha256": digest, "bytes": len(content)}

    def method(self, method: str | None, run: Run, spec: RunSpec) -> dict[str, Any]:
        """The part ``method``."""
        made = spec.methods[0]
        if not is_file(made.source):
            if method is not None:
                raise UserError(f"--method {method}: overopt ships {made.name}; leave it out.")
            return {"kind": "shipped", "name": made.name}
        own = run.record.get("own_files", {})
        stated = str(own.get(made.source, "")) if isinstance(own, dict) else ""
        if method is None:
            raise UserError(f"The run used {made.source}, a file of its own; give --method FILE.")
        if upstream := _UPSTREAM.fullmatch(method):
            repository, commit, path = upstream.groups()
            known = {"repository": repository, "commit": commit, "path": path, "sha256": stated}
            return {"kind": "commit", **known}
        content = _read(Path(method))
        if hashlib.sha256(content).hexdigest() != stated:
            raise UserError(
                f"--method {method} is not the file that the run used; restore it, or run again."
            )
        return {"kind": "file", "file": self._file(f"method/{made.source}", content)}

    def run(self, number: int, run: Run, spec: RunSpec, role: str) -> dict[str, Any]:
        """One of the ``runs``."""
        record = run.record
        strange = [one.name for one in spec.proxies if is_file(one.source)]
        if strange:
            raise UserError(
                f"{run.folder}: {strange[0]} is a proxy of your own; submissions are compared "
                "against proxies that overopt ships."
            )
        content = _read(run.folder / "points.csv")
        cells = [
            self._cell(f"runs/{number}/{index:03d}", run, spec, cell)
            for index, cell in enumerate(cells_of(spec))
        ]
        return {
            "role": role,
            "spec": spec.to_json(),
            "spec_sha256": record.get("spec_sha256"),
            "commit": record.get("commit"),
            "dirty": bool(record.get("dirty", False)),
            "points": self._file(f"runs/{number}/points.csv", content),
            "cells": cells,
        }

    def _cell(self, stem: str, run: Run, spec: RunSpec, cell: Cell) -> dict[str, Any]:
        title = named(spec, Found(cell, None, None))
        self._told(title)
        proxy = cell.task.proxy
        identity: dict[str, Any] = {
            "world": cell.world,
            "seed": cell.seed,
            "proxy": cell.proxy.name,
            "noise": cell.noise_label,
            "proxy_start": proxy.start,
            "proxy_width": cell.task.proxy_width,
            "comparisons": proxy.comparisons,
        }
        artifacts = run.record.get("artifacts")
        key = artifacts.get(title) if isinstance(artifacts, dict) else None
        if not isinstance(key, str):
            raise UserError(
                f"{run.folder}: the cell {title} failed; a submission is of whole runs, so repeat "
                "the run."
            )
        found = self._evidence(key, run, rows_of(run.points, identity), title)
        scales = {name: getattr(found, name) for name in ("gold_mean", "gold_sd", "proxy_offset")}
        page, policies = None, []
        samples = found.samples
        if samples is not None:
            content = dump_page(samples)
            page = {
                "file": self._file(f"{stem}.safetensors", content),
                "rows": len(samples.point),
                "tokens": int(samples.responses.length_N.sum()),
                "policy_logp": len(samples.policy_logp) > 0,
                "prompts": samples.prompt_gold_KB.shape[1],
                "points": len(samples.measured_K),
            }
        chosen = sorted(found.weights)
        for row in {"none": [], "end": chosen[-1:], "all": chosen}[self._policies]:
            file = self._file(f"{stem}-policy-{row}.safetensors", _read(found.weights[row]))
            policies.append({"point": row, "file": file})
        return {**identity, **scales, "page": page, "policies": policies}

    def _evidence(self, key: str, run: Run, rows: Sequence[int], title: str) -> Evidence:
        folder = self._opened(key, run)
        manifest = self._store.manifest(key)
        assert manifest is not None, "an opened artifact has a manifest"
        inputs = {role: self._opened(one.key, run) for role, one in manifest.inputs.items()}
        of_inputs = {}
        for role, one in manifest.inputs.items():
            if role.startswith("evaluate."):
                theirs = self._store.manifest(one.key)
                assert theirs is not None, "an opened artifact has a manifest"
                of_inputs[role] = {
                    name: self._opened(inner.key, run) for name, inner in theirs.inputs.items()
                }
        inputs |= self._own
        points = json.loads((folder / "points.json").read_text())
        if len(points) != len(rows):
            raise UserError(f"{run.folder}: points.csv has other points than the store for {title}")
        made = Made(folder, manifest.params, inputs, of_inputs, rows, points)
        # the reader is named after the stage that made the points
        stage = manifest.stage.rpartition(".")[2]
        evidence: Evidence = load("leaderboard.submission.evidence", stage).gather(made)
        return evidence

    def _opened(self, key: str, run: Run) -> Path:
        folder = self._store.open(key)
        if folder is None:
            raise UserError(
                f"{run.folder}: the store {self._store.root} no longer holds what the run was made "
                f"of; repeat it with bench run --from {run.folder / 'run.json'}, then prepare."
            )
        return folder


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); restore it.") from error


def rows_of(points: pd.DataFrame, identity: Mapping[str, Any]) -> list[int]:
    """Rows of ``points.csv``, from 0, that are a cell's."""
    mine = pd.Series(True, index=points.index)
    for name, value in identity.items():
        column = points[name]
        mine &= column.isna() if value is None else column == value
    return [int(row) for row in points.index[mine]]
