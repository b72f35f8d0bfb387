"""What every world offers to the stages, and how a world is built from its specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.execution.code.modules import load
from overopt.spec.world import WorldSpec
from overopt.worlds.tokens import EOS, Tokens

Gold = Callable[[Tokens, Tokens], npt.NDArray[np.float64]]
"""Raw gold score (N,) of each response to the prompt of the same row."""


class World(Protocol):
    """A language with prompts, reference texts and a rule gold, all generated from one seed."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Word of every token id; the first four are ``tokens.SPECIALS``."""
        ...

    @property
    def train_prompts(self) -> Tokens:
        """Distinct prompts (``<bos> words <sep>``) for training; none of them is held out."""
        ...

    @property
    def heldout_prompts(self) -> Tokens:
        """Distinct prompts for evaluation; they do not depend on the number of training prompts."""
        ...

    @property
    def response_tokens_max(self) -> int:
        """Longest response in tokens, EOS included."""
        ...

    @property
    def responses(self) -> Tokens | None:
        """Every possible response (R rows) where the world can be enumerated, else None."""
        ...

    def references(self, prompts: Tokens, rng: np.random.Generator) -> Tokens:
        """One reference response (SFT target) for each of the N prompts.

        It ends with EOS unless ``response_tokens_max`` tokens are used up before.
        """
        ...

    def gold(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Rule gold score (raw units) of each response to the prompt of the same row, (N,)."""
        ...

    def gold_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, npt.NDArray[np.float64]]:
        """The named terms, weights applied, whose sum is the gold score; each (N,)."""
        ...


@runtime_checkable
class Tokenized(Protocol):
    """What a world has besides whose tokens are those of a model folder's tokenizer.

    Its ids are the tokenizer's own: none is padding, several may end a response.
    """

    stop_ids: tuple[int, ...]

    @property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer's files lie."""
        ...

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids that are no words."""
        ...

    def decode(self, tokens: Tokens) -> list[str]:
        """The text of each sequence, special tokens left out."""
        ...


def stop_ids(world: World) -> tuple[int, ...]:
    """Ids that end a response."""
    return world.stop_ids if isinstance(world, Tokenized) else (EOS,)


def lexicon(world: World) -> tuple[str, ...] | Path:
    """What a saved model's tokenizer is made from: its words, or a folder to copy it from."""
    return world.tokenizer_folder if isinstance(world, Tokenized) else world.vocabulary


def build(spec: WorldSpec) -> World:
    """The world that a specification names: ``build(spec)`` of ``overopt.worlds.<kind>.world``.

    Raises:
        UserError: if there is no such kind, or if it has fewer prompts than are asked for.
    """
    world: World = _module(spec.kind).build(spec)
    return world


def world_of(params: Mapping[str, Any]) -> World:
    """The world of a stage's parameters, checked by the specification of its kind, ``SPEC``."""
    given = params["world"]
    return build(_module(given["kind"]).SPEC.model_validate(given))


def _module(kind: str) -> ModuleType:
    if kind not in list_kinds():
        raise UserError(
            f"unknown kind of world '{kind}' in world.kind; available: {', '.join(list_kinds())}"
        )
    return load("worlds", f"{kind}.world")


def list_kinds() -> list[str]:
    """The kinds of world: folders of this package with a ``world.py``."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/world.py"))


def split_prompts(prompts: Tokens, spec: WorldSpec) -> tuple[Tokens, Tokens]:
    """Training and held-out prompts of a world that can list all of its prompts.

    The held-out prompts do not depend on how many training prompts are asked for: they are taken
    from the end of the order, the training prompts from its beginning.

    Args:
        prompts: every distinct prompt of the world once, in random order.
        spec: how many of each are asked for.

    Raises:
        UserError: if training and held-out prompts together are more than there are.
    """
    total = prompts.rows()
    if spec.train_prompts + spec.heldout_prompts > total:
        raise UserError(
            f"world '{spec.kind}' has {total} distinct prompts, but train_prompts = "
            f"{spec.train_prompts} and heldout_prompts = {spec.heldout_prompts} want "
            f"{spec.train_prompts + spec.heldout_prompts}; lower one of them"
        )
    return (
        prompts.take(np.arange(spec.train_prompts)),
        prompts.take(np.arange(total - spec.heldout_prompts, total)),
    )


def sum_terms(terms: dict[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """The gold score (N,) in raw units: the sum of its named terms."""
    total_N: npt.NDArray[np.float64] = np.stack(list(terms.values())).sum(axis=0)
    return total_N


def render(world: World, tokens: Tokens) -> list[str]:
    """The sequences as readable text, special tokens left out."""
    if isinstance(world, Tokenized):
        return world.decode(tokens)
    words = np.array(world.vocabulary, dtype=object)
    shown_NT = (tokens.ids_NT > 3) & tokens.mask_NT
    return [
        " ".join(words[ids_T[shown_T]])
        for ids_T, shown_T in zip(tokens.ids_NT, shown_NT, strict=True)
    ]


def context_tokens(world: World) -> int:
    """Positions that a model of this world needs: longest prompt and longest response."""
    prompts = (world.train_prompts, world.heldout_prompts)
    longest = max(int(p.length_N.max()) for p in prompts)
    return longest + world.response_tokens_max
