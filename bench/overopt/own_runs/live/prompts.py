"""A fixed set of prompts in the tokens of a model that is in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overopt.errors import UserError
from overopt.worlds.hub.conversations import Turn
from overopt.worlds.hub.world import tokens_of
from overopt.worlds.tokens import Tokens

Prompt = str | Sequence[Mapping[str, str]]
"""A text, or the messages of a conversation."""


class LivePrompts:
    """Prompts for a tokenizer in memory.

    Args:
        prompts: texts, or conversations as lists of messages.
        tokenizer: the trainer's own.
        form: text with ``{prompt}``, or ``chat`` for the tokenizer's chat template.

    Raises:
        UserError: if there are too few prompts, one occurs twice, or one is empty.
    """

    def __init__(self, prompts: Sequence[Prompt], tokenizer: Any, form: str) -> None:
        self._tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # of a processor, its own
        turns = [_turns(one) for one in prompts]
        if form != "chat" and form.count("{prompt}") != 1:
            raise UserError(f"template is 'chat' or text with {{prompt}} in it, not {form!r}")
        rows = [self._encode(one, form) for one in turns]
        if not all(rows):
            raise UserError("a prompt is empty; give prompts of at least one token")
        self._turns_of = {tuple(row): one for row, one in zip(rows, turns, strict=True)}
        if len(self._turns_of) < len(rows):
            raise UserError("a prompt occurs twice; give distinct prompts")
        self.tokens: Tokens = tokens_of(rows)

    def decode(self, tokens: Tokens) -> list[str]:
        """The text of each sequence, special tokens left out."""
        rows = zip(tokens.ids_NT, tokens.length_N, strict=True)
        ids = [ids_T[:length].tolist() for ids_T, length in rows]
        return list(self._tokenizer.batch_decode(ids, skip_special_tokens=True))

    def conversations(self, prompts: Tokens) -> list[tuple[Turn, ...]]:
        """The turns behind each prompt."""
        rows = zip(prompts.ids_NT, prompts.length_N, strict=True)
        return [self._turns_of[tuple(ids_T[:length].tolist())] for ids_T, length in rows]

    def _encode(self, turns: tuple[Turn, ...], form: str) -> list[int]:
        if form == "chat":
            messages = [turn._asdict() for turn in turns]
            text = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
            return self._ids(text, False)
        if len(turns) != 1:
            raise UserError("a prompt of several messages needs template='chat'")
        plain, full = self._ids("a", False), self._ids("a", True)
        opening = full[: len(full) - len(plain)] if full[-len(plain) :] == plain else full[:1]
        return [*opening, *self._ids(form.replace("{prompt}", turns[0].content), False)]

    def _ids(self, text: str, specials: bool) -> list[int]:
        found = self._tokenizer(text, add_special_tokens=specials)["input_ids"]
        return [int(one) for one in found]


def _turns(prompt: Prompt) -> tuple[Turn, ...]:
    if isinstance(prompt, str):
        return (Turn("user", prompt),)
    try:
        return tuple(Turn(str(one["role"]), str(one["content"])) for one in prompt)
    except (KeyError, TypeError) as error:
        raise UserError(
            "a prompt is a text, or a list of messages with role and content"
        ) from error
