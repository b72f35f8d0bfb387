"""Checkpoints, models and rewards as the user names them, turned into origins and stages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from overopt.errors import UserError
from overopt.execution.code.modules import is_file, load, module_in
from overopt.execution.node import Node, Resources
from overopt.execution.stage import node
from overopt.own_runs.checkpoint_request import CheckpointRequest, Plan
from overopt.own_runs.log_rows import STATE_NAME
from overopt.run.sources import Source, download, refuse_unpinned
from overopt.spec.documents import parse_json
from overopt.spec.origins import ModelOrigin, ReaderOrigin, check_format
from overopt.worlds.hub.folders import MODEL_FILES, Head, digest, find, open_model

STAGE = "overopt.stages.runs.checkpoint"
ADAPTER = "adapter_config.json"
_COMMIT = re.compile("[0-9a-f]{40}")
NOT_THE_MODEL = (STATE_NAME,)
"""Files beside a model that say nothing about what it computes."""


class Checkpoint(NamedTuple):
    """A policy along a run."""

    step: int
    origin: ModelOrigin


def plan(asked: CheckpointRequest) -> Plan:
    """The stages that measure what is asked; checks all that needs no weights.

    Raises:
        UserError: the first thing that is wrong with what is asked.
    """
    for option, number in (
        ("--samples", asked.samples),
        ("--max-new-tokens", asked.max_new_tokens),
    ):
        if number < 1:
            raise UserError(f"{option} {number}: give at least 1")
    if asked.seed < 0:
        raise UserError(f"--seed {asked.seed}: a seed is a whole number from 0")
    if asked.dtype not in ("float32", "bfloat16", "float16"):
        raise UserError(f"--dtype {asked.dtype}: give float32, bfloat16 or float16")
    reference = origin_of(asked.reference, "--reference", asked.dtype)
    largest = check_model(reference, "--reference", "causal")
    _check_distinct(asked.policies)
    found = [find_checkpoints(policy, asked.dtype) for policy in asked.policies]
    for run in found:
        for one in run:
            check_model(one.origin, f"checkpoint {one.step}:", "causal")
    load("worlds.hub", "prompt_file").PromptFile(  # by name, as worlds are
        reference, str(asked.prompts), asked.template, asked.max_new_tokens
    )
    proxy, gold = _reward(asked.proxy, "proxy", asked), None
    own = [asked.proxy] if "file" in proxy else []
    if asked.gold is not None:
        gold = _reward(asked.gold, "gold", asked)
        own += [asked.gold] if "file" in gold else []
    files = sorted({str(Path(one).resolve()) for one in own})
    if len({Path(one).name for one in files}) < len(files):
        raise UserError("--proxy and --gold are two files of one name; rename one of them")
    if any("classifier" in one for one in (proxy, gold or {})):
        files.append(module_in("artifacts.golds", "classifier"))
    shared = {
        "reference": reference.model_dump(mode="json"),
        "prompts": {
            "path": str(asked.prompts.resolve()),
            "digest": digest(asked.prompts),
        },
        "template": asked.template,
        "max_new_tokens": asked.max_new_tokens,
        "samples": asked.samples,
        "proxy": proxy,
        "gold": gold,
    }

    def stage(step: int, origin: ModelOrigin | None, seed: int, label: str) -> Node:
        policy = origin and origin.model_dump(mode="json")
        return node(
            STAGE,
            {**shared, "step": step, "policy": policy, "seed": seed},
            label=label,
            extra_code=files,
            resources=Resources(timeout_s=None),
            kind="checkpoint",
        )

    initial = stage(0, None, asked.seed, "reference")
    runs = []
    for number, (policy, run) in enumerate(zip(asked.policies, found, strict=True)):
        of = f" of {Path(policy).name}" if len(found) > 1 else ""
        made = [
            stage(one.step, one.origin, asked.seed + number, f"checkpoint {one.step}{of}")
            for one in run
            if one.step > 0
        ]
        runs.append((initial, *made))  # samples of its own for each run, as for each seed
    return Plan(tuple(runs), largest)


def _check_distinct(policies: Sequence[str]) -> None:
    places = [str(Path(one).expanduser().resolve()) for one in policies]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise UserError(
                f"--policy {policies[number]} is given twice; give each seed of the training its "
                "own checkpoints"
            )


def _reward(given: str, role: str, asked: CheckpointRequest) -> dict[str, Any]:
    """A reward as parameters of a stage."""
    if is_file(given):
        if not Path(given).is_file():
            raise UserError(f"--{role} {given}: there is no such file; give one that exists")
        return {"file": Path(given).name}
    origin = origin_of(given, f"--{role}", asked.dtype)
    check_model(origin, f"--{role}", "classifier")
    try:
        check_format(asked.reward_template, ("{prompt}", "{response}"))
    except ValueError as error:
        raise UserError(f"--reward-template {asked.reward_template}: {error}") from error
    reader = ReaderOrigin.model_validate(
        {**origin.model_dump(exclude_unset=True), "format": asked.reward_template}
    )
    return {"classifier": reader.model_dump(mode="json")}


def find_checkpoints(policy: str, dtype: str) -> list[Checkpoint]:
    """The checkpoints of a folder by step, or the one model that is given.

    Raises:
        UserError: if there is none, or two are of one step.
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
        numbered.sort()
        for (step, one), (following, other) in pairwise(numbered):
            if step == following:
                raise UserError(
                    f"--policy {policy}: {one.name} and {other.name} are both step {step}; keep "
                    "one of them"
                )
        return [
            Checkpoint(step, _local(one, f"checkpoint {one.name}", dtype)) for step, one in numbered
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
    if not at or not _COMMIT.fullmatch(revision):
        what = "its revision is no commit" if at else "there is no such folder"
        raise UserError(
            f"{role} {given}: {what}; give a folder that exists, or a hub's model as "
            "NAME@REVISION with the 40 hexadecimal digits of a commit, whose content cannot change"
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
        _check_adapter(Path(origin.path) / ADAPTER, role)
        return 0
    source = Source(role, origin, head)
    if not origin.is_pinned:
        refuse_unpinned(source)
    if origin.name is not None and find(origin) is None:
        download(source)
    return open_model(origin, role, head).parameters


def _check_adapter(file: Path, role: str) -> None:
    """Refuse a description of adapters that the stage could not read.

    Raises:
        UserError: if it is no JSON object, or says no kind.
    """
    try:
        kind = parse_json(file.read_bytes())["peft_type"]
    except (OSError, ValueError, KeyError, TypeError):
        kind = None
    if not isinstance(kind, str):
        raise UserError(
            f"{role} {file}: no readable description of adapters, which is a JSON object with "
            "peft_type; save the adapters again"
        )


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
        state = parse_json((folder / STATE_NAME).read_bytes())
        step = state["global_step"]
    except (OSError, ValueError, KeyError, TypeError):
        return 1
    return step if isinstance(step, int) and step > 0 else 1
