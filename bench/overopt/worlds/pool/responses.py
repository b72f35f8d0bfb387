"""Reads a table of scored responses, prompt by prompt."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from overopt.errors import UserError
from overopt.spec.pool import PoolSpec
from overopt.tables.table_file import read_ids, read_numbers, read_table, require_column

_KEY = "world.pool"
FEWEST_RESPONSES = 2


class ScoredResponses(NamedTuple):
    """The responses to one prompt, in the order of their sources, and the gold score of each."""

    prompt: str
    texts: tuple[str, ...]
    gold_R: np.ndarray


def read_responses(spec: PoolSpec) -> list[ScoredResponses]:
    """The responses to each prompt that has at least two of them; prompts in order of their text.

    The order of the rows tells nothing. A response without a gold score is left out.

    Raises:
        UserError: the table cannot be read, lacks a column, has a row without prompt, source or
            text, has two responses of one source to a prompt, or no prompt with two scored ones.
    """
    file = Path(spec.file)
    frame = read_table(file)
    prompt, response, gold, source = (
        require_column(file, frame, getattr(spec, name), f"{_KEY}.{name}")
        for name in ("prompt", "response", "gold", "source")
    )
    prompts, sources = (read_ids(file, frame, name) for name in (prompt, source))
    texts = frame[response].to_numpy(dtype=object)
    score_R = read_numbers(file, frame, gold)
    by_prompt: dict[str, dict[str, tuple[str, float]]] = {}
    for row, (asked, who, text) in enumerate(zip(prompts, sources, texts, strict=True)):
        if not isinstance(text, str):
            raise UserError(
                f"{file}: column {response!r} holds no text in data row {row + 1}; correct that "
                f"row, or name the column of responses as {_KEY}.response."
            )
        mine = by_prompt.setdefault(asked, {})
        if who in mine:
            raise UserError(
                f"{file}: data row {row + 1} is a second response of {source} {who!r} to one "
                f"prompt; keep one of them, or name another column as {_KEY}.source."
            )
        mine[who] = (text, float(score_R[row]))
    found = []
    for asked in sorted(by_prompt):
        scored = [one for _, one in sorted(by_prompt[asked].items()) if not np.isnan(one[1])]
        if len(scored) >= FEWEST_RESPONSES:
            gold_R = np.array([score for _, score in scored])
            found.append(ScoredResponses(asked, tuple(text for text, _ in scored), gold_R))
    if not found:
        raise UserError(f"{file}: no prompt has two responses with a gold score; give more rows.")
    return found
