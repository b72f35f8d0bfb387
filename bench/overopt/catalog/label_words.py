"""What ``--noise`` and ``--flaw`` say of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError

from overopt.errors import UserError
from overopt.spec.explanations import explain
from overopt.spec.flaw import FlawSpec
from overopt.spec.noise import NoiseSpec

T = TypeVar("T")


def noises_of(words: Sequence[str]) -> tuple[NoiseSpec, ...]:
    """Label noises, told apart by the label that results carry."""
    noises = tuple(_parsed("noise", NoiseSpec, text) for text in words)
    distinct("noise", tuple(noise.label for noise in noises))
    return noises


def flaws_of(words: Sequence[str]) -> tuple[FlawSpec, ...]:
    """Flaws by dose, told apart by their labels."""
    flaws = tuple(_parsed("flaw", FlawSpec, text) for text in words)
    distinct("flaw", tuple(flaw.label for flaw in flaws))
    return flaws


Parsed = TypeVar("Parsed", NoiseSpec, FlawSpec)


def _parsed(option: str, kind: type[Parsed], text: str) -> Parsed:
    try:
        return kind.parse(text)
    except ValueError as error:
        reason = explain(error, "", kind) if isinstance(error, ValidationError) else f"{error}."
        raise UserError(f"--{option}: {reason.removeprefix(': ')}") from error


def distinct(kind: str, values: tuple[T, ...]) -> tuple[T, ...]:
    """The values of an option, each once.

    Raises:
        UserError: one is given twice.
    """
    for position, value in enumerate(values):
        if value in values[:position]:
            name = getattr(value, "name", None) or getattr(value, "label", value)
            raise UserError(f"--{kind} {name} is given twice; give it once.")
    return values
