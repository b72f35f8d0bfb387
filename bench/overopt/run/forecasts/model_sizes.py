"""How large models are, from their folders' headers or from what a task declares."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from overopt.errors import UserError
from overopt.spec.origins import ModelOrigin
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.hub.documents import read_document
from overopt.worlds.hub.folders import find, open_model

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_ASPECT = 85
_VOCABULARY = 50_000


class UnknownSize(Exception):
    """A model is not here, and its task does not declare ``parameters_b``."""


class Shape(NamedTuple):
    """Sizes of one model.

    dtype: type of its numbers. width, layers, vocabulary: of its configuration; where that is not
    here, of a decoder of 12 layers width^2 parameters that is 85 times as wide as it has layers,
    with 50,000 tokens. cached: numbers that a layer keeps of a token while sampling, keys and
    values together.
    """

    parameters: float
    dtype: str
    width: int
    layers: int
    vocabulary: int
    cached: int

    @property
    def number_bytes(self) -> int:
        """Bytes of one number."""
        return _BYTES[self.dtype]

    @property
    def weight_bytes(self) -> float:
        """Bytes of all weights."""
        return self.parameters * self.number_bytes

    @property
    def cache_token_bytes(self) -> float:
        """Bytes of the keys and values of one token."""
        return float(self.layers * self.cached * self.number_bytes)

    def forward(self, tokens: float) -> float:
        """Floating-point operations of one pass forward (see ``hub_work``)."""
        return 2.0 * self.parameters * tokens


class Sizes:
    """Sizes of models by where they come from; each is looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, Shape | None] = {}

    def of(self, origin: ModelOrigin, role: str) -> Shape:
        """Sizes of a model.

        Raises:
            UnknownSize: neither its folder nor the task tells them.
        """
        name = origin.model_dump_json()
        if name not in self._known:
            self._known[name] = _look_up(origin, role)
        found = self._known[name]
        if found is None:
            raise UnknownSize(role)
        return found


def of_architecture(made: ArchitectureSpec, vocabulary: int) -> Shape:
    """A small decoder from scratch: 12 layers width^2 numbers, and its embeddings."""
    parameters = 12 * made.layers * made.width**2 + vocabulary * made.width
    return Shape(parameters, "float32", made.width, made.layers, vocabulary, 2 * made.width)


def _look_up(origin: ModelOrigin, role: str) -> Shape | None:
    """Sizes from a folder that is here, else from what the task declares."""
    config: dict[str, Any] = {}
    parameters = None if origin.parameters_b is None else origin.parameters_b * 1e9
    place = find(origin)
    if place is not None and (place / "config.json").is_file():
        config = read_document(place / "config.json", role)
        with suppress(UserError):  # the table of models says what is wrong with it
            parameters = open_model(origin, role, "any").parameters or parameters
    if parameters is None:
        return None
    usual = round((parameters * _ASPECT / 12) ** (1 / 3))
    width = _whole(config, usual, "hidden_size", "n_embd", "d_model")
    heads = _whole(config, 1, "num_attention_heads", "n_head")
    head_width = _whole(config, width // heads, "head_dim")
    shared = _whole(config, heads, "num_key_value_heads")
    return Shape(
        parameters,
        origin.dtype,
        width,
        _whole(config, max(1, round(usual / _ASPECT)), "num_hidden_layers", "n_layer"),
        _whole(config, _VOCABULARY, "vocab_size"),
        2 * shared * head_width,
    )


def _whole(config: Mapping[str, Any], otherwise: int, *names: str) -> int:
    return next((int(config[name]) for name in names if config.get(name)), otherwise)
