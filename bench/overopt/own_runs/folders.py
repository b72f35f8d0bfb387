"""Checkpoints, models and reward files as the user names them, turned into pinned origins."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from overopt.errors import UserError
from overopt.own_runs.log_rows import STATE_NAME
from overopt.run.sources import Source, download, refuse_unpinned
from overopt.spec.origins import ModelOrigin
from overopt.worlds.hub.folders import MODEL_FILES, Head, find, open_model

ADAPTER = "adapter_config.json"
NOT_THE_MODEL = (STATE_NAME,)
"""Files beside a model that say nothing about what it computes."""


class Checkpoint(NamedTuple):
    """A policy along a run."""

    step: int
    origin: ModelOrigin


def find_checkpoints(policy: str, dtype: str) -> list[Checkpoint]:
    """The checkpoints of a folder by step, or the one model that is given.

    Raises:
        UserError: if there is none.
    """
    folder = Path(policy).expanduser()
    if not folder.is_dir():
        return [Checkpoint(1, origin_of(policy, "--policy", dtype))]
    numbered = [
        (int(number), one)
        for one in folder.glob("checkpoint-*")
        if (number := one.name.removeprefix("checkpoint-")).isdecimal() and one.is_dir()
    ]
    if numbered:
        return [
            Checkpoint(step, _local(one, f"checkpoint {one.name}", dtype))
            for step, one in sorted(numbered)
        ]
    if any((folder / name).is_file() for name in ("config.json", ADAPTER)):
        return [Checkpoint(_step_of(folder), _local(folder, "--policy", dtype))]
    raise UserError(
        f"--policy {policy}: there is neither a checkpoint-* folder nor a model in it; give the "
        "output folder of a trainer, or one model folder"
    )


def origin_of(given: str, role: str, dtype: str) -> ModelOrigin:
    """A model folder on this machine, or NAME@REVISION of a hub.

    Raises:
        UserError: if it is neither.
    """
    if Path(given).expanduser().is_dir():
        return _local(Path(given).expanduser(), role, dtype)
    name, at, revision = given.partition("@")
    if not at:
        raise UserError(
            f"{role} {given}: there is no such folder; give one that exists, or a hub's model as "
            "NAME@REVISION with the 40 hexadecimal digits of a commit"
        )
    return ModelOrigin.model_validate({"name": name, "revision": revision, "dtype": dtype})


def check_model(origin: ModelOrigin, role: str, head: Head) -> int:
    """Fetch a hub's model where it is missing, check all that needs no weights, and count them.

    Returns:
        Its parameters; 0 where they are those of adapters.

    Raises:
        UserError: the first thing that is wrong with it.
    """
    if origin.path is not None and (Path(origin.path) / ADAPTER).is_file():
        return 0
    source = Source(role, origin, head)
    if not origin.is_pinned:
        refuse_unpinned(source)
    if origin.name is not None and find(origin) is None:
        download(source)
    return open_model(origin, role, head).parameters


def digest_model(folder: Path) -> str:
    """sha256 over the names and contents of the files that a model is made of.

    An optimizer's state, which trainers keep beside it, is several times as large and no part.
    """
    files = {
        file
        for pattern in MODEL_FILES
        for file in folder.glob(pattern)
        if file.is_file() and file.name not in NOT_THE_MODEL
    }
    total = hashlib.sha256()
    for file in sorted(files):
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{file.name}\0{content}\n".encode())
    return total.hexdigest()


def _local(folder: Path, role: str, dtype: str) -> ModelOrigin:
    try:
        content = digest_model(folder)
    except OSError as error:
        raise UserError(f"{role} {folder}: cannot be read ({error.strerror})") from error
    return ModelOrigin.model_validate(
        {"path": str(folder.resolve()), "digest": content, "dtype": dtype}
    )


def _step_of(folder: Path) -> int:
    """The step of a single checkpoint, from its name or its trainer's state; 1 where unknown."""
    number = folder.resolve().name.removeprefix("checkpoint-")
    if number.isdecimal() and int(number) > 0:
        return int(number)
    try:
        state = json.loads((folder / STATE_NAME).read_text(encoding="utf-8"))
        step = state["global_step"]
    except (OSError, ValueError, KeyError, TypeError):
        return 1
    return step if isinstance(step, int) and step > 0 else 1
