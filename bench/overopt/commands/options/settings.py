"""``--set``: values of the task, and of the methods and proxies of a run."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path

from overopt.catalog import lookup
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.spec.task import TaskSpec


def read_settings(
    request: Request,
) -> tuple[dict[str, object], dict[str, dict[str, object]]]:
    """``--set`` values: of the task (dotted keys) and of methods and proxies (``dpo.beta=0.2``)."""
    own = {
        lookup.canonical(Path(name).stem if is_file(name) else name): name
        for name in [*request.method, *request.proxy]
    }
    of_task: dict[str, object] = {}
    of_method: dict[str, dict[str, object]] = {}
    for text in request.settings:
        key, equals, written = (part.strip() for part in text.partition("="))
        if not equals or not key:
            raise UserError(f"--set {text}: write it as KEY=VALUE, such as dpo.beta=0.2.")
        try:
            value = tomllib.loads(f"value = {written}")["value"]
        except (ValueError, RecursionError):  # a word, or what no number or list of ours is
            value = written
        head, dot, rest = key.partition(".")
        named = lookup.canonical(head)
        if key == "name":
            raise UserError(
                f"--set {text}: a task's name is what its results are known by; copy the task's "
                "file under another name and give it with --task."
            )
        if dot and named in own:
            of_method.setdefault(own[named], {})[rest] = value
        elif head in TaskSpec.model_fields:
            of_task[key] = value
        else:
            raise UserError(_unknown_setting(text, own))
    return of_task, of_method


def _unknown_setting(text: str, own: Mapping[str, str]) -> str:
    """The sentence for a ``--set`` whose key belongs to no part of the run."""
    key = text.partition("=")[0].strip()
    head, dot, rest = key.partition(".")
    fields = {
        f"{stem}.{parameter.name}"
        for stem, name in own.items()
        for kind in ("methods", "proxies")
        if name in lookup.names(kind) or is_file(name)
        for parameter in lookup.declaration(kind, name).parameters
    }
    matching = sorted(field for field in fields if field.endswith(f".{key}"))
    if matching:
        return (
            f"--set {text}: which method or proxy does {key} belong to? "
            f"Write it as {' or '.join(matching)}."
        )
    if dot and any(head in lookup.names(kind) for kind in ("methods", "proxies")):
        return f"--set {text}: this run has no {head}; name it with --method or --proxy as well."
    tables = {f"{name}.{rest}" if dot else name for name in TaskSpec.model_fields}
    near = difflib.get_close_matches(key, [*fields, *tables], n=1, cutoff=0.7)
    hint = f"Did you mean {near[0]}? " if near else ""
    known = ", ".join(sorted({*own, *TaskSpec.model_fields}))
    return f"--set {text}: there is no {head}. {hint}A key begins with one of: {known}."
