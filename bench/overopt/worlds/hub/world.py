"""Worlds of real language: a tokenizer's vocabulary, and prompts out of a table.

The rule gold is the world's own reference: overlap with the reference response of the prompt. A
classifier as gold is loaded by the gold stage; here is only what needs no weights.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.spec.hub import DataOrigin, HubSpec, TaskWorldSpec
from overopt.spec.origins import ModelOrigin
from overopt.spec.world import WorldSpec
from overopt.worlds.hub.conversations import Turn, flat_text
from overopt.worlds.hub.data import Example, read_examples
from overopt.worlds.hub.folders import ModelFolder, identifiers, open_model
from overopt.worlds.hub.text import FolderTokenizer
from overopt.worlds.tokens import Tokens

_ROWS_AT_ONCE = 1024
_WORD = re.compile(r"[a-z0-9]+")

SPEC = TaskWorldSpec


class Pairs(NamedTuple):
    """P preference pairs of the data; prompt_id_P counts training prompts."""

    prompt_id_P: npt.NDArray[np.int32]
    chosen: Tokens
    rejected: Tokens


def build(spec: WorldSpec) -> HubWorld:
    """The world of a model folder and a table. Raises UserError for whatever is wrong with them."""
    assert isinstance(spec, TaskWorldSpec) and spec.hub is not None
    return HubWorld(spec, spec.hub)


def tokens_of(rows: Sequence[Sequence[int]]) -> Tokens:
    """Lists of ids as Tokens."""
    length_N = np.array([len(row) for row in rows], dtype=np.int32)
    flat = np.array([position for row in rows for position in row], dtype=np.int32)
    return Tokens.from_flat(flat, length_N)


class HubWorld:
    """Prompts of a table in a policy's own tokens."""

    responses: Tokens | None = None

    def __init__(self, spec: WorldSpec, hub: HubSpec) -> None:
        self._hub = hub
        self.folder = open_model(hub.policy, "policy", "causal")
        self._tokenizer = FolderTokenizer(self.folder.path, "policy")
        self.stop_ids = _stop_ids(self.folder, self._tokenizer)
        self._check_vocabulary()
        train, heldout = self._choose(spec)
        self._examples = [*train, *heldout]
        ids = self._encode_prompts([example.prompt for example in self._examples])
        self.train_prompts = tokens_of(ids[: len(train)])
        self.heldout_prompts = tokens_of(ids[len(train) :])
        self._row_of = {tuple(row): position for position, row in enumerate(ids)}

    @property
    def policy(self) -> ModelOrigin:
        """Where its language model comes from."""
        return self._hub.policy

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The token of every id."""
        return self._tokenizer.vocabulary

    @property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer's files lie."""
        return self._tokenizer.folder

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids that are no words."""
        return tuple(sorted({*self._tokenizer.special_ids, *self.stop_ids}))

    @property
    def response_tokens_max(self) -> int:
        """Longest response in tokens, end included."""
        return self._hub.response_tokens

    def decode(self, tokens: Tokens) -> list[str]:
        """The text of each sequence, special tokens left out."""
        rows = zip(tokens.ids_NT, tokens.length_N, strict=True)
        return self._tokenizer.decode([ids_T[:length].tolist() for ids_T, length in rows])

    def conversations(self, prompts: Tokens) -> list[tuple[Turn, ...]]:
        """The turns behind each prompt."""
        return [example.prompt for example in self._of(prompts)]

    def references(self, prompts: Tokens, rng: np.random.Generator) -> Tokens:
        """The table's reference response to each prompt, cut at the longest response."""
        return self._encode_responses([self._reference(one) for one in self._of(prompts)])

    def gold(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Overlap with the reference response: F1 of the words that both have, (N,), 0 to 1.

        F1 = 2 m / (a + b) for m common words (counted as often as both have them) of a words in
        the response and b in the reference; words are runs of letters and digits, lower-cased,
        not stemmed. It is 0 where either has none.

        Reference: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", section 2
            (ROUGE-1, as the F-measure with beta = 1), https://aclanthology.org/W04-1013
        """
        references = [self._words_of(self._reference(one)) for one in self._of(prompts)]
        words = [Counter(_WORD.findall(text.lower())) for text in self.decode(responses)]
        return np.array(
            [_overlap(ours, theirs) for ours, theirs in zip(words, references, strict=True)],
            dtype=np.float64,
        )

    def gold_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, npt.NDArray[np.float64]]:
        """The rule has one term."""
        return {"overlap": self.gold(prompts, responses)}

    @cached_property
    def pairs(self) -> Pairs:
        """The preference pairs of the data whose prompts are training prompts."""
        train = self._examples[: self.train_prompts.rows()]
        return Pairs(
            np.arange(len(train), dtype=np.int32),
            self._encode_responses([str(example.chosen) for example in train]),
            self._encode_responses([str(example.rejected) for example in train]),
        )

    def _reference(self, example: Example) -> str:
        if example.reference is None:
            raise UserError(
                f"world.hub.prompts names no reference column in {self._hub.prompts.shown}, but "
                "SFT and the rule gold need reference responses; add reference = 'COLUMN'."
            )
        return example.reference

    def _words_of(self, text: str) -> Counter[str]:
        return Counter(_WORD.findall(text.lower()))

    def _of(self, prompts: Tokens) -> list[Example]:
        rows = zip(prompts.ids_NT, prompts.length_N, strict=True)
        try:
            return [
                self._examples[self._row_of[tuple(ids_T[:length].tolist())]]
                for ids_T, length in rows
            ]
        except KeyError:
            raise ValueError("a prompt is none of this world's") from None

    def _encode_responses(self, texts: Sequence[str]) -> Tokens:
        longest = self._hub.response_tokens
        encoded = self._tokenizer.encode(texts, False)
        return tokens_of([[*row, self.stop_ids[0]][:longest] for row in encoded])

    def _encode_prompts(self, prompts: Sequence[tuple[Turn, ...]]) -> list[list[int]]:
        if self._hub.format == "chat":
            texts = [self._tokenizer.render_chat(prompt, True) for prompt in prompts]
            return self._tokenizer.encode(texts, False)
        texts = [self._hub.format.replace("{prompt}", flat_text(prompt)) for prompt in prompts]
        opening = self._tokenizer.opening
        return [[*opening, *row] for row in self._tokenizer.encode(texts, False)]

    def _check_vocabulary(self) -> None:
        embedded = self.folder.config.get("vocab_size")
        if isinstance(embedded, int) and len(self.vocabulary) > embedded:
            raise UserError(
                f"policy {self.folder.path}: its tokenizer has {len(self.vocabulary)} tokens but "
                f"its model only {embedded}; the tokenizer belongs to another model."
            )

    def _longest_prompt(self) -> tuple[int | None, bool]:
        """Most tokens a prompt may have, and whether longer ones are left out."""
        hub, context = self._hub, self.folder.context_tokens
        if context is not None and (hub.prompt_tokens or 1) + hub.response_tokens > context:
            raise UserError(
                f"prompts of {hub.prompt_tokens or 1} tokens and responses of "
                f"{hub.response_tokens} exceed the policy's context of {context} tokens; lower "
                "world.hub.prompt_tokens or world.hub.response_tokens."
            )
        if hub.prompt_tokens is not None:
            return hub.prompt_tokens, True
        return (None if context is None else context - hub.response_tokens), False

    def _choose(self, spec: WorldSpec) -> tuple[list[Example], list[Example]]:
        """Distinct prompts in an order that the seed decides: held-out first, then training."""
        hub = self._hub
        rng = np.random.default_rng(np.random.SeedSequence([spec.seed, 0x687562]))
        asked = spec.heldout_prompts + spec.train_prompts
        rows = self._fitting(hub.prompts, "world.hub.prompts", asked, rng)
        if hub.heldout is None:
            heldout, rest = rows[: spec.heldout_prompts], rows[spec.heldout_prompts :]
        else:
            heldout = self._fitting(hub.heldout, "world.hub.heldout", spec.heldout_prompts, rng)
            taken = {example.prompt for example in heldout}
            rest = [example for example in rows if example.prompt not in taken]
        train = rest[: spec.train_prompts]
        if len(heldout) < spec.heldout_prompts or len(train) < spec.train_prompts:
            raise UserError(
                f"{hub.prompts.shown} has {len(rows)} distinct prompts that fit, not "
                f"world.heldout_prompts = {spec.heldout_prompts} and world.train_prompts = "
                f"{spec.train_prompts}; ask for fewer."
            )
        return train, heldout

    def _fitting(
        self, origin: DataOrigin, role: str, wanted: int, rng: np.random.Generator
    ) -> list[Example]:
        """One example of each of the first ``wanted`` distinct prompts that fit, in random order.

        Rows are shuffled, and read only as far as they are needed.
        """
        examples = read_examples(origin, role)
        order = rng.permutation(len(examples))
        by_prompt: dict[tuple[int, ...], Example] = {}
        longest, leave_out = self._longest_prompt()
        for start in range(0, len(order), _ROWS_AT_ONCE):
            chunk = [examples[position] for position in order[start : start + _ROWS_AT_ONCE]]
            encoded = self._encode_prompts([one.prompt for one in chunk])
            for example, ids in zip(chunk, encoded, strict=True):
                if longest is None or len(ids) <= longest:
                    by_prompt.setdefault(tuple(ids), example)
                elif not leave_out:
                    raise self._too_long(example, len(ids))
                if len(by_prompt) == wanted:
                    return list(by_prompt.values())
        return list(by_prompt.values())

    def _too_long(self, example: Example, tokens: int) -> UserError:
        return UserError(
            f"the prompt {flat_text(example.prompt)[:40]!r}... has {tokens} tokens, which with "
            f"{self._hub.response_tokens} of a response exceed the policy's context of "
            f"{self.folder.context_tokens}; set world.hub.prompt_tokens to leave longer prompts "
            "out."
        )


def _overlap(ours: Counter[str], theirs: Counter[str]) -> float:
    total = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / total if ours and theirs else 0.0


def _stop_ids(folder: ModelFolder, tokenizer: FolderTokenizer) -> tuple[int, ...]:
    """Ids that end a response: the tokenizer's own first, then those the model's settings name."""
    first = tokenizer.special_id("eos_token")
    if first is None:
        raise UserError(
            f"policy {folder.path}: its tokenizer names no eos_token that its vocabulary has, so "
            "no response could end; set eos_token in tokenizer_config.json."
        )
    named = [
        *identifiers(folder.generation.get("eos_token_id")),
        *identifiers(folder.config.get("eos_token_id")),
    ]
    return tuple(dict.fromkeys([first, *named]))
