"""Which samples are outliers among a reward model's hidden states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.proxy import Member
from overopt.artifacts.scores import identifiers
from overopt.artifacts.tables import Table, write_table
from overopt.execution.contract import Progress
from overopt.models.inside.reward_states import reward_states
from overopt.stats.monitoring.outliers import outlier_p_values
from overopt.worlds.contract import World, world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write the p-value of every row of ``samples`` under the states of the ``usual`` ones."""
    world = world_of(params)
    member = Member(inputs["proxy"], world)
    usual, samples = (Table(inputs[role] / "samples.parquet") for role in ("usual", "samples"))
    usual_ND = _states(member, usual, world)
    progress(0.3, "states of the samples")
    p_N = outlier_p_values(usual_ND, _states(member, samples, world))
    write_table(out / "states.parquet", {**identifiers(samples), "p": p_N})


def _states(member: Member, table: Table, world: World) -> npt.NDArray[np.float64]:
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    return reward_states(member.model, *member.reading(prompts, table.tokens("response")))
