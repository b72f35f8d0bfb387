"""``--from run.json``: a stored run's specification, to be run again as it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.spec.documents import check_format, parse_json
from overopt.spec.explanations import explain
from overopt.spec.method import MethodSpec
from overopt.spec.run import RunSpec
from overopt.spec.system import ProxySystemSpec

Declared = TypeVar("Declared", MethodSpec, ProxySystemSpec)


def stored_run(request: Request) -> RunSpec:
    """The specification that a run was made from, its own files found again.

    Raises:
        UserError: other options are given as well, the file is no record of a run that this
            version reads, or a file of the user's own is gone or has changed.
    """
    assert request.stored is not None
    if replace(request, stored=None) != Request():
        raise UserError(
            "--from repeats a run with its own settings; leave out the other options about what "
            "to compare, or leave out --from."
        )
    path = request.stored / "run.json" if request.stored.is_dir() else request.stored
    record = _read(path)
    if "measured" in record["spec"]:
        raise UserError(
            f"{path}: these are checkpoints of somebody's own training, measured and not trained "
            "here; repeat it with the command that is its arguments."
        )
    try:
        spec = RunSpec.model_validate_json(json.dumps(record["spec"]))
    except ValidationError as error:
        told = explain(error, f"{path}: spec", RunSpec)
        raise UserError(
            f"{told} The run is of another version; check out its commit to repeat it."
        ) from error
    own = record.get("own_files", {})
    words = record.get("arguments", [])
    if not isinstance(own, dict) or not isinstance(words, list):
        raise UserError(f"{path}: own_files or arguments is damaged; restore the file.")
    return spec.model_copy(
        update={
            "methods": tuple(_placed(one, own, words, path) for one in spec.methods),
            "proxies": tuple(_placed(one, own, words, path) for one in spec.proxies),
        }
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        record = parse_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"--from {path}: it cannot be read ({error.strerror}); give the run.json of a run "
            "folder, or the folder."
        ) from error
    except ValueError as error:
        raise UserError(f"--from {path}: it is not JSON: {error}.") from error
    if not isinstance(record, dict) or not isinstance(record.get("spec"), dict):
        raise UserError(f"--from {path}: it is no record of a run; give the run.json of a run.")
    try:
        check_format(record)
    except ValueError as error:
        raise UserError(f"--from {path}: {error}") from error
    return record


def _placed(spec: Declared, own: Mapping[str, Any], words: Sequence[Any], record: Path) -> Declared:
    """The specification with the place of its own file, unchanged since the run.

    It is looked for where the command of the run named it, then by its name, in this folder.
    """
    if not is_file(spec.source):
        return spec
    name = Path(spec.source).name
    places = [*(Path(str(word)) for word in words), Path(name)]
    there = [path for path in places if path.name == name and path.is_file()]
    if not there:
        raise UserError(
            f"{record}: the run used {name}, a file of its own, which is neither where its "
            "command named it nor in this folder; put it here."
        )
    same = [
        path for path in there if hashlib.sha256(path.read_bytes()).hexdigest() == own.get(name)
    ]
    if not same:
        raise UserError(
            f"{there[0]} has changed since the run of {record}; restore it, or give it with "
            "--method or --proxy for a run of its own."
        )
    return spec.model_copy(update={"source": str(same[0].resolve())})
