"""Model folders: where they are, what they hold, and everything that can be wrong with them.

Read from file names, JSON and the headers of safetensors files; no weight is loaded and no code
of a folder runs here. Each fault is one sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from overopt.errors import UserError
from overopt.spec.hub import DataOrigin
from overopt.spec.origins import ModelOrigin, Origin, ReaderOrigin
from overopt.worlds.hub.documents import count_weights, labels, read_document, shards, words

Head = Literal["causal", "classifier", "any"]

MODEL_FILES = ("*.json", "*.jinja", "*.safetensors", "tokenizer.model")
"""What is downloaded of a model repository: no pickles and no code."""
_CAUSAL = ("ForCausalLM", "LMHeadModel")
_CLASSIFIER = ("ForSequenceClassification",)


@dataclass(frozen=True)
class ModelFolder:
    """A model folder that passed every check that needs no weights.

    config: config.json. generation: generation_config.json, empty where there is none.
    parameters: numbers in its weight files; 0 where they are pickles. size_bytes: of those files.
    """

    path: Path
    config: dict[str, Any]
    generation: dict[str, Any]
    parameters: int
    size_bytes: int

    @property
    def context_tokens(self) -> int | None:
        """Longest sequence, where the configuration states it."""
        for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"):
            value = self.config.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
        return None


def patterns(origin: Origin) -> list[str]:
    """Globs of the files that a repository is downloaded for."""
    if isinstance(origin, DataOrigin):
        return [origin.files]
    wanted = list(MODEL_FILES)
    if isinstance(origin, ModelOrigin) and origin.allow_pickle:
        wanted.append("*.bin")
    if isinstance(origin, ModelOrigin) and origin.trust_remote_code:
        wanted.append("*.py")
    return wanted


def find(origin: Origin) -> Path | None:
    """The local path, or the snapshot in the hub's cache on this machine; None where it is absent.

    Never touches the network.
    """
    if origin.path is not None:
        path = Path(origin.path).expanduser()
        return path if path.exists() else None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            str(origin.name),
            repo_type="dataset" if isinstance(origin, DataOrigin) else "model",
            revision=origin.revision,
            local_files_only=True,
            allow_patterns=patterns(origin),
        )
    except (LocalEntryNotFoundError, OSError):
        return None
    return Path(folder)


def locate(origin: Origin, role: str) -> Path:
    """The local path or cached snapshot. Raises UserError where it is not on this machine."""
    path = find(origin)
    if path is not None:
        return path
    if origin.path is not None:
        kind = "file or folder" if isinstance(origin, DataOrigin) else "folder"
        raise UserError(f"{role}: there is no {kind} {origin.path}; give a path that exists.")
    kind = "dataset" if isinstance(origin, DataOrigin) else "model"
    raise UserError(
        f"{role}: the {kind} {origin.name} at revision {origin.revision} is not in this machine's "
        "hub cache and cannot be downloaded now; run the command once with a connection (and "
        "without HF_HUB_OFFLINE), or give a local path instead of the name."
    )


def digest(path: Path) -> str:
    """sha256 over the names and contents of a file, or of all files of a folder."""
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        name = "" if path.is_file() else file.relative_to(path).as_posix()
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def open_model(origin: ModelOrigin, role: str, head: Head) -> ModelFolder:
    """Check a model folder as far as that goes without loading it.

    Args:
        origin: where it comes from, and what it is allowed.
        role: what the sentence calls it, such as ``policy``.
        head: the kind of model it must hold.

    Raises:
        UserError: the first thing that is wrong with it.
    """
    folder = locate(origin, role)
    where = f"{role} {folder}"
    if not (folder / "config.json").is_file():
        raise UserError(
            f"{where} is not a model folder: it has no config.json; give a folder that "
            "save_pretrained has written."
        )
    config = read_document(folder / "config.json", role)
    _refuse_code(config, where, origin)
    _check_head(config, where, head)
    parameters, size_bytes = _weigh(folder, where, origin)
    generation = folder / "generation_config.json"
    return ModelFolder(
        folder,
        config,
        read_document(generation, role) if generation.is_file() else {},
        parameters,
        size_bytes,
    )


def _refuse_code(config: dict[str, Any], where: str, origin: ModelOrigin) -> None:
    if config.get("auto_map") and not origin.trust_remote_code:
        raise UserError(
            f"{where} wants to run Python code of its own (auto_map in config.json), which is "
            "refused; read that code, then set trust_remote_code = true in the task, or take a "
            "model that transformers knows."
        )


def _check_head(config: dict[str, Any], where: str, head: Head) -> None:
    names = words(config, "architectures", where)
    wanted = {"causal": _CAUSAL, "classifier": _CLASSIFIER, "any": ()}[head]
    if not wanted or not names or any(name.endswith(wanted) for name in names):
        return
    needs = {
        "causal": "a causal language model (such as GPT2LMHeadModel or LlamaForCausalLM)",
        "classifier": "a sequence classifier (such as LlamaForSequenceClassification)",
        "any": "",
    }[head]
    raise UserError(f"{where} holds {', '.join(names)}, but {needs} is needed here.")


def _weigh(folder: Path, where: str, origin: ModelOrigin) -> tuple[int, int]:
    """Numbers and bytes of the weights; refuses pickles, and shards that are missing or cut."""
    names = _weight_files(folder, where, "model.safetensors", "*.safetensors")
    if names:
        parameters = sum(count_weights(folder / name, where) for name in names)
        return parameters, sum((folder / name).stat().st_size for name in names)
    pickles = _weight_files(folder, where, "pytorch_model.bin", "*.bin")
    if not pickles:
        raise UserError(
            f"{where} has no weights: neither model.safetensors nor its index is there; copy "
            "the folder again, weights included."
        )
    if not origin.allow_pickle:
        raise UserError(
            f"{where} holds pickled weights only ({pickles[0]}), which may run code when they "
            "are opened and are refused; convert them to safetensors, or set allow_pickle = true "
            "in the task if you trust their source."
        )
    return 0, sum((folder / name).stat().st_size for name in pickles)


def _weight_files(folder: Path, where: str, single: str, pattern: str) -> list[str]:
    index = folder / f"{single}.index.json"
    if index.is_file():
        named = shards(read_document(index, where), index, where)
        missing = [name for name in named if not (folder / name).is_file()]
        if missing:
            raise UserError(
                f"{where} lacks {len(missing)} of {len(named)} weight files ({missing[0]} ...); "
                "copy or download the folder again."
            )
        return named
    if (folder / single).is_file():
        return [single]
    return sorted(path.name for path in folder.glob(pattern))[:1] if pattern == "*.bin" else []


def good_output(folder: ModelFolder, origin: ReaderOrigin) -> int:
    """Which output of a classifier is the good one. Raises UserError where that is not said."""
    names = labels(folder.config, f"gold {folder.path}")
    count = len(names) or 2  # transformers' own default
    if count == 1:
        return 0
    for position in range(count):
        if origin.label in (names.get(position), str(position)):
            return position
    known = ", ".join(names.get(position, str(position)) for position in range(count))
    raise UserError(
        f"gold {folder.path} has {count} outputs ({known}), and label = {origin.label!r} names "
        "none of them; say which one is good with label."
    )


def identifiers(value: object) -> list[int]:
    """Token ids of a configuration's entry: one, several, or none."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int):
        return [value]
    return (
        [int(one) for one in value if isinstance(one, int)] if isinstance(value, Iterable) else []
    )
