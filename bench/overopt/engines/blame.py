"""What is wrong with a method or proxy of the user's own, told in one sentence."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from overopt.engines.method.loading import AnyOpened, Source, open_as
from overopt.errors import UserError, words_of
from overopt.execution.code.modules import find_module, is_file


@contextmanager
def blamed(source: str, what: str) -> Iterator[None]:
    """Tell an error of the user's code with the line of the user's file that it came from."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        path = Path(source) if is_file(source) else find_module(source)
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if path is not None and Path(frame.filename) == path
        ]
        line = f", line {lines[-1]}" if lines else ""
        first = words_of(error).strip().partition("\n")[0]
        raise UserError(f"{source}{line}: {what}: {type(error).__name__}: {first}") from error


def check_finite(source: str, what: str, value: Tensor) -> None:
    """Refuse NaN and infinity.

    Raises:
        UserError: there is one.
    """
    if not torch.isfinite(value).all():
        raise UserError(
            f"{source}: {what} returns NaN or infinity on ordinary numbers; look for a logarithm, "
            "a division or an exponential that leaves its range."
        )


def check_kind(source: str, function: str, value: Any, kind: type | tuple[type, ...]) -> None:
    """Refuse what is of another type than the contract says.

    Raises:
        UserError: it is.
    """
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise UserError(
            f"{source}: {function} returns a {type(value).__name__}, not a "
            f"{' or '.join(one.__name__ for one in kinds)}."
        )


def open_blamed(kind: type[AnyOpened], spec: Source) -> AnyOpened:
    """A method or proxy opened; what its Config or its optional functions get wrong is told."""
    with blamed(spec.source, "its Config, or training"):
        return open_as(kind, spec)
