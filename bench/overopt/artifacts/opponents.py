"""Frozen responses of the initial policy that a pairwise proxy compares with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.scores import fingerprint
from overopt.artifacts.tables import Table, write_table
from overopt.worlds.tokens import Tokens

_FILE = "opponents.parquet"


class Opponents:
    """J responses to each prompt of a world, found by the prompt's tokens.

    per_prompt: J.
    """

    def __init__(self, folder: Path) -> None:
        table = Table(folder / _FILE)
        self._responses = table.tokens("response")
        print_N = fingerprint(table.tokens("prompt"))
        self.per_prompt = int(table.integers("sample_id").max()) + 1
        firsts = print_N[:: self.per_prompt]
        self._row_of = {int(one): row for row, one in enumerate(firsts)}

    def find(self, prompts: Tokens) -> npt.NDArray[np.int64]:
        """The number (N,) of each prompt.

        Raises:
            ValueError: a prompt is not one of the world's.
        """
        try:
            return np.array([self._row_of[int(one)] for one in fingerprint(prompts)], np.int64)
        except KeyError:
            raise ValueError("a prompt has no responses to compare with") from None

    def of(self, number_N: npt.NDArray[np.int64]) -> Tokens:
        """The responses of these prompts, N x J rows, prompt after prompt."""
        row_NJ = number_N[:, None] * self.per_prompt + np.arange(self.per_prompt)
        return self._responses.take(row_NJ.ravel())


def write_opponents(out: Path, prompts: Tokens, responses: Tokens) -> None:
    """Write J responses to each prompt, prompt after prompt."""
    per_prompt = responses.rows() // prompts.rows()
    write_table(
        out / _FILE,
        {
            "prompt": prompts.take(np.repeat(np.arange(prompts.rows()), per_prompt)),
            "sample_id": np.tile(np.arange(per_prompt, dtype=np.int32), prompts.rows()),
            "response": responses,
        },
    )


def copy_opponents(folder: Path, out: Path) -> None:
    """Put the responses beside a proxy, so that it is read without anything else."""
    (out / _FILE).write_bytes((folder / _FILE).read_bytes())
