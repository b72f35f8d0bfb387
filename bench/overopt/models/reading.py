"""Reads prompts and responses as text, for models with a tokenizer of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from overopt.spec.origins import ReaderOrigin
from overopt.worlds.contract import World
from overopt.worlds.hub.conversations import Turn, flat_text
from overopt.worlds.hub.folders import open_model
from overopt.worlds.hub.text import FolderTokenizer
from overopt.worlds.hub.world import tokens_of
from overopt.worlds.tokens import Tokens


def open_reading(record: object, world: World) -> Callable[[Tokens, Tokens], tuple[Tokens, Tokens]]:
    """How a proxy reads that has a tokenizer of its own.

    Args:
        record: JSON of the ``ReaderOrigin`` that the proxy started from.
        world: a world of text.

    Returns:
        Prompts and responses in the world's tokens -> the same in the proxy's.
    """
    assert isinstance(world, Texts)
    return open_reader(world, ReaderOrigin.model_validate(record), "proxy base").read


@runtime_checkable
class Texts(Protocol):
    """What a reader needs of prompts and responses: what they say."""

    def decode(self, tokens: Tokens) -> list[str]:
        """The text of each sequence, special tokens left out."""
        ...

    def conversations(self, prompts: Tokens) -> list[tuple[Turn, ...]]:
        """The turns behind each prompt."""
        ...


class Reader:
    """How a model with its own tokenizer reads this world's prompts and responses.

    Args:
        world: decodes responses, and knows the turns behind a prompt.
        tokenizer: of the model that reads.
        form: ``chat`` or text with ``{prompt}`` and ``{response}``.
        longest: most tokens it can read, None for no limit; a longer row keeps its first token
            and its end, where the response stands.
    """

    def __init__(
        self, world: Texts, tokenizer: FolderTokenizer, form: str, longest: int | None
    ) -> None:
        self._world, self._tokenizer, self._form = world, tokenizer, form
        self._longest = longest

    def read(self, prompts: Tokens, responses: Tokens) -> tuple[Tokens, Tokens]:
        """Each row in the reader's tokens, its first token apart from the rest."""
        texts = self._world.decode(responses)
        conversations = self._world.conversations(prompts)
        if self._form == "chat":
            rendered = [
                self._tokenizer.render_chat([*turns, Turn("assistant", text)], False)
                for turns, text in zip(conversations, texts, strict=True)
            ]
            rows = self._tokenizer.encode(rendered, False)
        else:
            rendered = [
                self._form.replace("{prompt}", "\0", 1)
                .replace("{response}", text, 1)
                .replace("\0", flat_text(turns), 1)
                for turns, text in zip(conversations, texts, strict=True)
            ]
            rows = self._tokenizer.encode(rendered, True)
        rows = [self._cut(row) for row in rows]
        return tokens_of([row[:1] for row in rows]), tokens_of([row[1:] for row in rows])

    def _cut(self, row: list[int]) -> list[int]:
        if self._longest is None or len(row) <= self._longest:
            return row
        return [row[0], *row[len(row) - self._longest + 1 :]]


def open_reader(world: Texts, origin: ReaderOrigin, role: str) -> Reader:
    """The reader of a model folder's own tokenizer."""
    folder = open_model(origin, role, "any")
    return Reader(world, FolderTokenizer(folder.path, role), origin.format, folder.context_tokens)
