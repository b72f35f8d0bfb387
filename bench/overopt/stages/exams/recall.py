"""How often a proxy system agrees with the labels that its members were trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.reward import open_reward
from overopt.artifacts.tables import write_json
from overopt.execution.contract import Progress
from overopt.stages.exams.reading import mark_row
from overopt.stats.exams.designs import ACCURACY, HELDOUT, KEPT, SWAPPED
from overopt.stats.exams.marks import preferred
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write ``marks.json``: agreement with labels that noise has kept, and with those it swapped.

    Beside them accuracy on pairs of the initial policy that were held out, whose labels are gold's.

    params: ``world``, ``system`` (ProxySystemSpec).
    """
    world = world_of(params)
    reward = open_reward(inputs, params["system"], world)
    rows = []
    for name in ("labels", "heldout"):
        pairs, agrees_P = load_preferences(inputs["labels"], world, name)
        score_2P = [reward(pairs.prompts, side) for side in (pairs.chosen, pairs.rejected)]
        margin_P = score_2P[0] - score_2P[1]
        asked = {HELDOUT: margin_P}
        if name == "labels":
            asked = {KEPT: margin_P[agrees_P], SWAPPED: margin_P[~agrees_P]}
        for exam, mine_P in asked.items():
            found = preferred(mine_P)
            rows += [] if found is None else [mark_row(exam, ACCURACY, *found)]
    write_json(out / "marks.json", {"marks": rows})
