"""Which checkpoints to score with a gold reward, where a log has none."""

from __future__ import annotations

import numpy as np

from overopt.stats.runs.gains import RunGains

ADVISED = 8
"""Checkpoints that are named: enough for both forms and a held-out part."""


def steps_to_score(
    run: RunGains, saved_every: int | None = None, count: int = ADVISED
) -> list[int]:
    """Steps about equally far apart in d = sqrt(KL), the first and the last among them.

    Gold is a curve over d. Equal steps of training would put most checkpoints where d hardly moves.

    Args:
        run: the log.
        saved_every: only multiples of this step were saved, where that is known.
        count: how many.
    """
    saved = [
        row
        for row, step in enumerate(run.step_K.tolist())
        if saved_every is None or step % saved_every == 0
    ]
    if not saved:
        return []
    d_K = run.d_K[saved]
    wanted = np.linspace(d_K.min(), d_K.max(), count)
    chosen = {int(np.argmin(np.abs(d_K - one))) for one in wanted} | {0, len(saved) - 1}
    return sorted(int(run.step_K[saved[row]]) for row in chosen)
