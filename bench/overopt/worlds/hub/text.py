"""A folder's tokenizer and chat template, as data: text to ids and back, without transformers.

The tokenizer is the folder's ``tokenizer.json``. A chat template is a Jinja text of the folder; it
is rendered in Jinja's immutable sandbox, the way transformers does it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from overopt.errors import UserError, one_line
from overopt.worlds.hub.conversations import Turn
from overopt.worlds.hub.documents import read_document
from overopt.worlds.hub.time_limit import OutOfTimeError, time_limit

_MOST_IDS = 10_000_000
_TEMPLATE_S = 10.0
"""Longest rendering of one conversation; a usual one takes less than a millisecond."""


class FolderTokenizer:
    """The tokenizer of a model folder.

    Args:
        folder: holds tokenizer.json, and the template where there is one.
        role: what error messages call the folder.

    Raises:
        UserError: there is no tokenizer.json, or it cannot be read.
    """

    def __init__(self, folder: Path, role: str) -> None:
        self.folder, self._role = folder, role
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise UserError(
                f"{role} {folder} has no tokenizer.json; save its tokenizer there with "
                "AutoTokenizer.from_pretrained(...).save_pretrained(...)."
            )
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except BaseException as error:
            # the library raises bare Exception for a fault of a file, or a panic that is none
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            told = one_line(str(error), 500)
            raise UserError(f"{role}: {path} is no readable tokenizer: {told}.") from error
        if not self._tokenizer.get_vocab(with_added_tokens=True):
            raise UserError(f"{role}: {path} has no tokens; save the tokenizer again.")
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._settings: dict[str, Any] = {}
        for name in ("special_tokens_map.json", "tokenizer_config.json"):
            if (folder / name).is_file():
                self._settings.update(read_document(folder / name, role))

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The token of every id; ids that no token has are empty texts."""
        ids = self._tokenizer.get_vocab(with_added_tokens=True)
        if max(ids.values()) > _MOST_IDS:
            raise UserError(
                f"{self._role}: {self.folder / 'tokenizer.json'} has a token of id "
                f"{max(ids.values())}; ids up to {_MOST_IDS:,} are read."
            )
        words = [""] * (max(ids.values()) + 1)
        for token, position in ids.items():
            words[position] = token
        return tuple(words)

    @cached_property
    def special_ids(self) -> tuple[int, ...]:
        """Ids of the tokens that are no text."""
        added = self._tokenizer.get_added_tokens_decoder()
        return tuple(sorted(position for position, token in added.items() if token.special))

    def special(self, name: str) -> str | None:
        """A special token's text by its name, such as ``eos_token``."""
        value = self._settings.get(name)
        if isinstance(value, Mapping):
            value = value.get("content")
        return value if isinstance(value, str) else None

    def special_id(self, name: str) -> int | None:
        """A special token's id, where the vocabulary has it."""
        token = self.special(name)
        found = None if token is None else self._tokenizer.token_to_id(token)
        return None if found is None else int(found)

    def encode(self, texts: Sequence[str], with_specials: bool) -> list[list[int]]:
        """Ids of each text, with what the tokenizer puts around a text or without."""
        with self._faults_told():
            encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=with_specials)
        return [list(one.ids) for one in encoded]

    @cached_property
    def opening(self) -> list[int]:
        """Ids that the tokenizer puts before a text (such as BOS)."""
        text = self._some_text
        (plain,), (full,) = self.encode([text], False), self.encode([text], True)
        return full[: len(full) - len(plain)] if full[-len(plain) :] == plain else full[:1]

    @cached_property
    def _some_text(self) -> str:
        """A text that the tokenizer can read; one of whole words may not know a letter."""
        try:
            self.encode(["a"], False)
        except UserError:
            words = enumerate(self.vocabulary)
            known = [word for at, word in words if word and at not in self.special_ids]
            return known[0] if known else "a"
        return "a"

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence, special tokens left out."""
        with self._faults_told():
            return list(self._tokenizer.decode_batch([list(one) for one in ids], True))

    @contextmanager
    def _faults_told(self) -> Iterator[None]:
        """Tell a fault of the tokenizer's file, which its library raises as a panic or nameless."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
                raise
            told = one_line(str(error), 500)
            raise UserError(
                f"{self._role}: {self.folder / 'tokenizer.json'} cannot read a text ({told}); save "
                "the tokenizer again."
            ) from error

    @cached_property
    def _template(self) -> Any:
        source = self._settings.get("chat_template")
        if isinstance(source, list):  # several named templates
            tables = (one for one in source if isinstance(one, dict))
            named = {str(one.get("name")): one.get("template") for one in tables}
            source = named.get("default")
        path = self.folder / "chat_template.jinja"
        if path.is_file():
            try:
                source = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise self._template_fault(error) from error
        if not isinstance(source, str):
            raise UserError(
                f"{self._role} {self.folder} has no chat template, but its format is 'chat'; "
                "write the format as text with {prompt} in it."
            )
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = _fixed_date
        try:
            with time_limit(_TEMPLATE_S):
                return environment.from_string(source)
        except Exception as error:
            raise self._template_fault(error) from error

    def require_template(self) -> None:
        """Raises UserError where the folder has no chat template, or one that is not readable."""
        assert self._template is not None

    def render_chat(self, turns: Sequence[Turn], add_generation_prompt: bool) -> str:
        """A conversation in the folder's chat template. Raises UserError where it refuses it."""
        values = {
            name: self.special(name) or ""
            for name in ("bos_token", "eos_token", "pad_token", "unk_token")
        }
        messages = [turn._asdict() for turn in turns]
        template = self._template
        try:
            with time_limit(_TEMPLATE_S):
                return str(
                    template.render(
                        messages=messages, add_generation_prompt=add_generation_prompt, **values
                    )
                )
        except (Exception, MemoryError) as error:  # what a template does is anything
            raise self._template_fault(error) from error

    def _template_fault(self, error: BaseException) -> UserError:
        told = one_line(str(error), 200) or type(error).__name__
        if isinstance(error, OutOfTimeError):
            told = f"it takes longer than {_TEMPLATE_S:g} s for one prompt"
        return UserError(
            f"{self._role} {self.folder}: its chat template fails ({told}); write the format as "
            "text with {prompt} in it."
        )


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _fixed_date(form: str) -> str:
    """A fixed day, so that templates that name the date give the same prompts every day."""
    return datetime(2024, 7, 26).strftime(form)
