"""The world of a table of real responses: prompts, and what somebody answered them.

The initial policy of such a world is the uniform law over the responses to a prompt, in the table:
nothing is sampled, responses are chosen. Gold is a column of the table.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from overopt.errors import UserError
from overopt.spec.hub import TaskWorldSpec
from overopt.spec.pool import PoolSpec
from overopt.spec.world import WorldSpec
from overopt.worlds.hub.conversations import Turn
from overopt.worlds.pool.responses import ScoredResponses, read_responses
from overopt.worlds.pool.tokenizer import train_tokenizer
from overopt.worlds.tokens import BOS, EOS, PAD, SEP, SPECIALS, Tokens

SPEC = TaskWorldSpec
_STREAM = 0x706F_6F6C


class Responses(list[Tokens]):
    """Of each prompt, its responses."""


def build(spec: WorldSpec) -> PoolWorld:
    """The world of a table. Raises UserError for whatever is wrong with it."""
    assert isinstance(spec, TaskWorldSpec) and spec.pool is not None
    return _built(spec.model_dump_json())


@cache
def _built(text: str) -> PoolWorld:
    """A process builds a world once: reading and tokenizing a table takes seconds."""
    spec = TaskWorldSpec.model_validate_json(text)
    assert spec.pool is not None
    return PoolWorld(spec, spec.pool)


class PoolWorld:
    """Prompts and scored responses in the tokens of the pool's own tokenizer."""

    responses: Tokens | None = None
    stop_ids: tuple[int, ...] = (EOS,)
    special_ids: tuple[int, ...] = (PAD, BOS, SEP, EOS)

    def __init__(self, spec: TaskWorldSpec, pool: PoolSpec) -> None:
        self._pool = pool
        rows = read_responses(pool)
        rng = np.random.default_rng(np.random.SeedSequence([_STREAM, spec.seed]))
        order = rng.permutation(len(rows))
        asked = spec.heldout_prompts + spec.train_prompts
        if asked > len(rows):
            raise UserError(
                f"{pool.file} has {len(rows)} prompts with two scored responses, not "
                f"world.heldout_prompts = {spec.heldout_prompts} and world.train_prompts = "
                f"{spec.train_prompts}; ask for fewer."
            )
        self._heldout = [rows[at] for at in order[: spec.heldout_prompts]]
        self._train = [rows[at] for at in order[spec.heldout_prompts : asked]]
        texts = (text for row in self._train for text in (row.prompt, *row.texts))
        self._tokenizer: Tokenizer = train_tokenizer(texts, pool.vocabulary)
        self.train_prompts = self._prompts(self._train)
        self.heldout_prompts = self._prompts(self._heldout)
        self._refuse_equal_prompts()

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The token of every id."""
        ids = self._tokenizer.get_vocab(with_added_tokens=True)
        return tuple(sorted(ids, key=lambda token: ids[token]))

    @property
    def response_tokens_max(self) -> int:
        """Longest response in tokens, end included."""
        return self._pool.response_tokens

    @cached_property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer's files lie, as long as this world is there."""
        folder = Path(tempfile.mkdtemp(prefix="overopt-tokenizer-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._tokenizer.save(str(folder / "tokenizer.json"))
        names = dict(zip(("pad", "bos", "sep", "eos"), SPECIALS, strict=True))
        settings = {f"{name}_token": token for name, token in names.items()}
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
        return folder

    def decode(self, tokens: Tokens) -> list[str]:
        """The text of each sequence, special tokens left out."""
        rows = zip(tokens.ids_NT, tokens.length_N, strict=True)
        ids = [[one for one in ids_T[:length].tolist() if one > EOS] for ids_T, length in rows]
        return list(self._tokenizer.decode_batch(ids, skip_special_tokens=True))

    def conversations(self, prompts: Tokens) -> list[tuple[Turn, ...]]:
        """The prompt as the one turn of a user."""
        return [(Turn("user", self._row(key).prompt),) for key in _keys(prompts)]

    @cached_property
    def train_responses(self) -> Responses:
        """All responses to each training prompt."""
        return self._responses(self._train)

    @cached_property
    def heldout_responses(self) -> Responses:
        """All responses to each held-out prompt."""
        return self._responses(self._heldout)

    @cached_property
    def heldout_gold(self) -> list[npt.NDArray[np.float64]]:
        """The gold of all responses to each held-out prompt, see ``gold``."""
        rows = zip(_keys(self.heldout_prompts), self.heldout_responses, strict=True)
        return [
            np.array([self._score[prompt][key] for key in _keys(given)]) for prompt, given in rows
        ]

    def references(self, prompts: Tokens, rng: np.random.Generator) -> Tokens:
        """One of the responses to each prompt, drawn uniformly."""
        given = [self._of(key) for key in _keys(prompts)]
        drawn = [one.take(np.array([rng.integers(one.rows())])) for one in given]
        return _joined(drawn)

    def gold(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Gold of each response, (N,): the mean of its scores, where several rows say the same.

        Rows say the same where their texts do, as far as the longest response goes.

        Raises:
            ValueError: a prompt is none of this world's, or a response none of the prompt's.
        """
        try:
            scores = [
                self._score[prompt][response]
                for prompt, response in zip(_keys(prompts), _keys(responses), strict=True)
            ]
        except KeyError:
            raise ValueError("a response is none of the pool's to this prompt") from None
        return np.array(scores, dtype=np.float64)

    def gold_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, npt.NDArray[np.float64]]:
        """The table has one score."""
        return {"gold": self.gold(prompts, responses)}

    @cached_property
    def _score(self) -> dict[bytes, dict[bytes, float]]:
        found: dict[bytes, dict[bytes, float]] = {}
        for rows, prompts, responses in (
            (self._train, self.train_prompts, self.train_responses),
            (self._heldout, self.heldout_prompts, self.heldout_responses),
        ):
            for prompt, row, given in zip(_keys(prompts), rows, responses, strict=True):
                scores: dict[bytes, list[float]] = {}
                for key, score in zip(_keys(given), row.gold_R, strict=True):
                    scores.setdefault(key, []).append(float(score))
                found[prompt] = {key: float(np.mean(some)) for key, some in scores.items()}
        return found

    @cached_property
    def _place(self) -> dict[bytes, tuple[list[ScoredResponses], int]]:
        """Of each prompt, among which it is and at which place."""
        return {
            key: (rows, at)
            for rows, prompts in (
                (self._train, self.train_prompts), (self._heldout, self.heldout_prompts),
            )
            for at, key in enumerate(_keys(prompts))
        }  # fmt: skip

    def _of(self, key: bytes) -> Tokens:
        rows, at = self._place[key]
        return (self.train_responses if rows is self._train else self.heldout_responses)[at]

    def _row(self, key: bytes) -> ScoredResponses:
        if key not in self._place:
            raise ValueError("a prompt is none of this world's")
        rows, at = self._place[key]
        return rows[at]

    def _encode(self, texts: Sequence[str], longest: int) -> list[list[int]]:
        """Ids of texts, cut; where a text spells a special token, that word is left out."""
        return [
            [one for one in row.ids if one > EOS][:longest]
            for row in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ]

    def _prompts(self, rows: Sequence[ScoredResponses]) -> Tokens:
        longest = self._pool.prompt_tokens - 2
        encoded = self._encode([row.prompt for row in rows], longest)
        return _tokens([[BOS, *ids, SEP] for ids in encoded])

    def _responses(self, rows: Sequence[ScoredResponses]) -> Responses:
        longest = self._pool.response_tokens
        encoded = self._encode([text for row in rows for text in row.texts], longest)
        ended = [[*ids, EOS][:longest] for ids in encoded]
        found, start = Responses(), 0
        for row in rows:
            found.append(_tokens(ended[start : start + len(row.texts)]))
            start += len(row.texts)
        return found

    def _refuse_equal_prompts(self) -> None:
        if len(self._place) < len(self._train) + len(self._heldout):
            raise UserError(
                f"{self._pool.file}: two prompts begin with the same {self._pool.prompt_tokens} "
                "tokens and cannot be told apart; raise world.pool.prompt_tokens."
            )


def _tokens(rows: Sequence[Sequence[int]]) -> Tokens:
    length_N = np.array([len(row) for row in rows], dtype=np.int32)
    flat = np.array([one for row in rows for one in row], dtype=np.int32)
    return Tokens.from_flat(flat, length_N)


def _joined(parts: Sequence[Tokens]) -> Tokens:
    return Tokens.from_flat(
        np.concatenate([part.flat() for part in parts]),
        np.concatenate([part.length_N for part in parts]),
    )


def _keys(tokens: Tokens) -> list[bytes]:
    """A name of each sequence: equal exactly where the tokens are."""
    rows = zip(tokens.ids_NT, tokens.length_N, strict=True)
    return [ids_T[:length].astype(np.int32).tobytes() for ids_T, length in rows]
