"""What is sent inside for a training run: copies of what a method may learn from, and of no more.

Gold of a generated world is a function of the world's seed, so that not only gold itself stays
outside, but also the seed, whatever is made with it in view (held-out prompts, the pool, gold and
wrong labels of pairs, held-out accuracies of proxies), and the seed of the run, from which
evaluation samples. Inside are tokens, labels, weights and the numbers that scale a proxy.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.randomness import derived_seed, numpy_rng
from overopt.artifacts.tables import Table, read_json, write_json, write_table
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.spec.method import MethodSpec
from overopt.worlds.contract import Tokenized, World
from overopt.worlds.tokens import Tokens

_TELLS_OF_GOLD = ("training.json", "manifest.json", "receipt.json")
"""Files of a proxy's artifact that stay outside: they hold its accuracy on gold's own labels."""
_PROBE_PROMPTS = 128


@dataclass(frozen=True)
class SealedWorld:
    """A world as a confined run sees it: its words and prompts, and nothing that scores.

    heldout_prompts: those that the cheap estimate of KL reads; they are training prompts, since
        the ones on which policies are measured stay outside.
    """

    vocabulary: tuple[str, ...]
    train_prompts: Tokens
    heldout_prompts: Tokens
    response_tokens_max: int
    demonstrations: Tokens | None
    responses: Tokens | None = None

    def references(self, prompts: Tokens, rng: np.random.Generator) -> Tokens:
        """The demonstrations that were sent, one for each training prompt."""
        if self.demonstrations is None or prompts.rows() != self.demonstrations.rows():
            raise UserError("no demonstrations were sent for these prompts")
        return self.demonstrations

    def gold(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """There is none here.

        Raises:
            UserError: always.
        """
        raise UserError("gold is not here: a method is verified where it cannot be seen")

    def gold_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, npt.NDArray[np.float64]]:
        """There are none here.

        Raises:
            UserError: always.
        """
        raise UserError("gold is not here: a method is verified where it cannot be seen")


def why_not(params: Mapping[str, Any], inputs: Mapping[str, Path], world: World) -> str | None:
    """Why a run cannot be sealed, in a sentence; None where it can."""
    method = MethodSpec.model_validate(params["method"])
    system = params.get("system") or {}
    if method.observes_gold or system.get("refits"):
        return "it is shown gold while it trains, which is not sent inside"
    if params["engine"] != "native" or isinstance(world, Tokenized):
        return "only generated worlds and the native engine run behind walls"
    if "step_pairs" in method.needs or system.get("step_scores"):
        return "steps of responses are not read behind walls"
    if is_file(str(system.get("source", ""))):
        return "a proxy system of one's own is trained outside of the walls"
    return None


def pack(
    folder: Path, params: Mapping[str, Any], inputs: Mapping[str, Path], world: World
) -> dict[str, Any]:
    """Write the parcel of a run, and return its parameters as they are told inside.

    Args:
        folder: an empty folder, readable by everybody.
        params, inputs: of the stage ``optimize``.
        world: of the run.
    """
    for role, place in inputs.items():
        if role == "labels":
            _pack_labels(place, folder / role)
        elif role.startswith("proxy."):
            ignored = shutil.ignore_patterns(*_TELLS_OF_GOLD, "*.parquet", "*.csv")
            shutil.copytree(place, folder / role, ignore=ignored)
        elif role in ("initial", "second"):
            shutil.copytree(place / "model", folder / role / "model")
        elif is_file(role):
            shutil.copyfile(place, folder / role)
    seed = derived_seed(int(params["seed"]), "sealed")
    columns = {"train": world.train_prompts}
    method = MethodSpec.model_validate(params["method"])
    if "demonstrations" in method.needs:
        rng = numpy_rng(int(params["world"]["seed"]), "demonstrations")
        columns["demonstrations"] = world.references(world.train_prompts, rng)
    for name, tokens in columns.items():
        write_table(folder / f"{name}.parquet", {"tokens": tokens})
    write_json(
        folder / "world.json",
        {"vocabulary": list(world.vocabulary), "response_tokens_max": world.response_tokens_max},
    )
    _open_to_all(folder)
    sealed = {"seed": 0, "kind": "sealed"}
    return {**params, "seed": seed, "world": sealed}


def unpack(folder: Path) -> SealedWorld:
    """The world of a parcel."""
    told = read_json(folder / "world.json")
    train = Table(folder / "train.parquet").tokens("tokens")
    demonstrations = folder / "demonstrations.parquet"
    return SealedWorld(
        vocabulary=tuple(told["vocabulary"]),
        train_prompts=train,
        heldout_prompts=train.take(np.arange(max(0, train.rows() - _PROBE_PROMPTS), train.rows())),
        response_tokens_max=int(told["response_tokens_max"]),
        demonstrations=Table(demonstrations).tokens("tokens") if demonstrations.exists() else None,
    )


def _pack_labels(place: Path, folder: Path) -> None:
    """Both responses and which is preferred; neither gold nor which labels are wrong."""
    folder.mkdir()
    table = Table(place / "labels.parquet")
    preferred = table.integers("a_preferred").astype(bool)
    write_table(
        folder / "labels.parquet",
        {
            "prompt_id": table.integers("prompt_id"),
            "a": table.tokens("a"),
            "b": table.tokens("b"),
            "a_preferred": preferred,
            "flipped": np.zeros(len(preferred), bool),
        },
    )


def _open_to_all(folder: Path) -> None:
    for place in (folder, *folder.rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)
