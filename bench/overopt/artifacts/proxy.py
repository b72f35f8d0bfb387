"""Opens a trained proxy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.tables import read_json
from overopt.execution.code.modules import load
from overopt.models.rewards.reward import load_reward, score
from overopt.worlds.contract import World
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

ERROR_FILE = "error.json"
"""Beside a proxy in whose scores an error is planted."""

Errors = Callable[[Tokens, Tokens], npt.NDArray[np.float64]]
"""What is added to the scores of responses to prompts."""

Retokenizer = Callable[[Tokens, Tokens], tuple[Tokens, Tokens]]
"""Prompts and responses in the tokens that a proxy reads."""


class Member:
    """A trained proxy whose scores are recentered and scaled under the initial policy.

    reading: how it reads; world: needed where that is text, by a tokenizer of its own.
    """

    def __init__(self, folder: Path, world: World) -> None:
        self.model = load_reward(folder / "model")
        self.reading = open_own_reader(folder, world)
        scale = read_json(folder / "normalization.json")
        self.mean, self.sd = float(scale["mean"]), float(scale["sd"])
        self._error = _open_error(folder)

    @property
    def log_odds_per_sd(self) -> float | None:
        """Bradley and Terry's log-odds in a difference of scores of 1; None with an error."""
        return self.sd if self._error is None else None

    def score(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        read, read_responses = self.reading(prompts, responses)
        score_N = (score(self.model, read, read_responses) - self.mean) / self.sd
        return score_N if self._error is None else score_N + self._error(prompts, responses)


def _open_error(folder: Path) -> Errors | None:
    """The error that is planted in a proxy's scores; None where there is none."""
    if not (folder / ERROR_FILE).is_file():
        return None
    record = read_json(folder / ERROR_FILE)
    planted = load("artifacts", "planted.score_error")
    spec = planted.ScoreErrorSpec.model_validate(record["error"])
    return partial(planted.errors, spec, int(record["seed"]))


def _as_they_are(prompts: Tokens, responses: Tokens) -> tuple[Tokens, Tokens]:
    return prompts, responses


def open_own_reader(folder: Path, world: World) -> Retokenizer:
    """How a proxy reads: the policy's tokens as they are, or text through its own tokenizer."""
    if not (folder / "reader.json").is_file():
        return _as_they_are
    record = read_json(folder / "reader.json")
    reading: Retokenizer = load("models", "reading").open_reading(record, world)
    return reading


def read_pairs(preferences: Preferences, reading: Retokenizer) -> Preferences:
    """Both sides of the comparisons as a proxy reads them."""
    prompts, chosen = reading(preferences.prompts, preferences.chosen)
    return Preferences(prompts, chosen, reading(preferences.prompts, preferences.rejected)[1])
