"""Models and data of a hub run: identified by content, fetched and checked before anything starts.

Nothing here loads weights or imports transformers; what only loading can tell is told by the
first stages of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from overopt.errors import UserError
from overopt.spec.gold import GoldSpec
from overopt.spec.hub import DataOrigin
from overopt.spec.origins import ModelOrigin, Origin, ReaderOrigin
from overopt.spec.run import RunSpec
from overopt.spec.task import TaskSpec
from overopt.worlds import contract
from overopt.worlds.hub.folders import Head, digest, find, good_output, locate, open_model, patterns
from overopt.worlds.hub.text import FolderTokenizer

OriginT = TypeVar("OriginT", bound=Origin)


@dataclass(frozen=True)
class Source:
    """One model or table of a run; ``head`` is the kind of model, None for data."""

    role: str
    origin: Origin
    head: Head | None


def sources(run: RunSpec) -> list[Source]:
    """Everything that a run takes from outside, each place once; empty for generated worlds."""
    task, gold = run.task, run.gold
    hub = task.world.hub
    if hub is None:
        base = task.proxy.base
        asked = base is not None and "base" in run.proxy_starts
        return [Source("proxy base", base, "any")] if base is not None and asked else []
    found = [
        Source("policy", hub.policy, "causal"),
        Source("world.hub.prompts", hub.prompts, None),
    ]
    if hub.heldout is not None:
        found.append(Source("world.hub.heldout", hub.heldout, None))
    if gold.classifier is not None:
        found.append(Source("gold", gold.classifier, "classifier"))
    if task.proxy.base is not None and "base" in run.proxy_starts:
        found.append(Source("proxy base", task.proxy.base, "any"))
    return found


def pin(task: TaskSpec, gold: GoldSpec) -> tuple[TaskSpec, GoldSpec]:
    """The specifications with the digest of every local path, so that keys follow its content.

    Raises:
        UserError: a local path does not exist.
    """
    hub, pool, base = task.world.hub, task.world.pool, task.proxy.base
    if pool is not None:
        if not Path(pool.file).is_file():
            raise UserError(
                f"world.pool.file: there is no file {pool.file}; give a table of responses."
            )
        pool = pool.model_copy(update={"digest": digest(Path(pool.file))})
        proxy = task.proxy.model_copy(update={"base": base and _digested(base, "proxy base")})
        world = task.world.model_copy(update={"pool": pool})
        return task.model_copy(update={"world": world, "proxy": proxy}), gold
    if hub is None:
        return task, gold
    hub = hub.model_copy(
        update={
            "policy": _digested(hub.policy, "policy"),
            "prompts": _digested(hub.prompts, "world.hub.prompts"),
            "heldout": hub.heldout and _digested(hub.heldout, "world.hub.heldout"),
        }
    )
    task = task.model_copy(
        update={
            "world": task.world.model_copy(update={"hub": hub}),
            "proxy": task.proxy.model_copy(update={"base": base and _digested(base, "proxy base")}),
        }
    )
    judge = gold.classifier
    return task, gold.model_copy(update={"classifier": judge and _digested(judge, "gold")})


def _digested(origin: OriginT, role: str) -> OriginT:
    if origin.path is None:
        return origin
    place = locate(origin, role).resolve()
    return origin.model_copy(update={"path": str(place), "digest": digest(place)})


def prepare(run: RunSpec) -> None:
    """Fetch what is missing and check all of it, before the first stage.

    Raises:
        UserError: the first thing that is wrong, in one sentence.
    """
    wanted = sources(run)
    for source in wanted:
        refuse_unpinned(source)
    for source in wanted:
        if source.origin.name is not None and find(source.origin) is None:
            download(source)
    for source in wanted:
        _check(source)
    if wanted:
        contract.build(run.task.world)


def refuse_unpinned(source: Source) -> None:
    """Raises UserError for a hub name whose revision may change, unless the task allows it."""
    origin = source.origin
    if origin.is_pinned or origin.allow_unpinned:
        return
    given = "no revision" if origin.revision is None else f"revision {origin.revision!r}"
    raise UserError(
        f"{source.role}: {origin.name} has {given}, whose content may change; pin the 40 "
        "hexadecimal digits of a commit, or set allow_unpinned = true."
    )


def download(source: Source) -> None:
    """Fetch one repository into the hub's cache: data, configuration and safetensors only.

    Raises:
        UserError: offline, or the hub refuses; with what to do.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    origin = source.origin
    if not constants.HF_HUB_OFFLINE:
        try:
            snapshot_download(
                str(origin.name),
                repo_type="dataset" if isinstance(origin, DataOrigin) else "model",
                revision=origin.revision,
                allow_patterns=patterns(origin),
            )
        except (LocalEntryNotFoundError, OfflineModeIsEnabled):
            pass  # told by locate, below
        except (HfHubHTTPError, OSError, ValueError) as error:
            first = str(error).strip().partition("\n")[0]
            raise UserError(
                f"{source.role}: {origin.name} at revision {origin.revision} cannot be "
                f"downloaded: {first}"
            ) from error
    locate(origin, source.role)


def _check(source: Source) -> None:
    origin = source.origin
    if source.head is None or not isinstance(origin, ModelOrigin):
        return
    folder = open_model(origin, source.role, source.head)
    if isinstance(origin, ReaderOrigin):
        tokenizer = FolderTokenizer(folder.path, source.role)
        if origin.format == "chat":
            tokenizer.require_template()
        if source.head == "classifier":
            good_output(folder, origin)
