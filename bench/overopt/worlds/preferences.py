"""Preference data: which of two responses to a prompt is the better one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.worlds.tokens import Tokens


class Preferences(NamedTuple):
    """P comparisons: a prompt, the response that was preferred, and the one that was not."""

    prompts: Tokens
    chosen: Tokens
    rejected: Tokens

    def take(self, index_P: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Preferences:
        """The chosen rows."""
        return Preferences(
            self.prompts.take(index_P), self.chosen.take(index_P), self.rejected.take(index_P)
        )

    def rows(self) -> int:
        """Number of comparisons P."""
        return self.prompts.rows()
