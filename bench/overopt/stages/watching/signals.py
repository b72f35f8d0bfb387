"""What a practitioner sees of each policy of a run: joins what was measured on its samples.

Gold is no input. A twin's proxy is gold itself, so that what is seen of its reward is gold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.scores import aligned_scores
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.artifacts.watched_columns import watched_column
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.execution.contract import Progress
from overopt.spec.system import ProxySystemSpec
from overopt.stats.monitoring.outliers import LEVEL, spread_of

Floats = npt.NDArray[np.float64]
ROLES = ("initial", "run")


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write a row for each policy, the initial one first; what is not measured is left out.

    params: ``system`` (ProxySystemSpec); ``members`` of the watching ensemble, 0 for none. inputs,
    for the roles ``initial`` and ``run``: ``samples.<role>``, ``score.<role>.<member>`` of the
    proxy, and as far as they are watched ``watch.<role>.<member>``, ``heldout.<role>``,
    ``states.<role>`` and ``energy.<role>``.
    """
    spec = ProxySystemSpec.model_validate(params["system"])
    system = open_as(OpenedProxy, locate_own(spec, inputs))
    ensemble = int(params["members"])
    start, after = (_Seen(inputs, role, system, ensemble) for role in ROLES)
    snapshots = read_json(inputs["samples.run"] / "optimize.json")["snapshots"]
    rows = [start.at(0, start), *(after.at(int(one["step"]), start) for one in snapshots)]
    write_json(out / "signals.json", rows)


class _Seen:
    """All rows of one artifact of samples, with what was measured on each."""

    def __init__(
        self, inputs: dict[str, Path], role: str, system: OpenedProxy, ensemble: int
    ) -> None:
        table = Table(inputs[f"samples.{role}"] / "samples.parquet")
        self.step_N = table.integers("step")
        self.column: dict[str, Floats] = {
            "length": table.tokens("response").length_N.astype(np.float64)
        }
        if role == "run":
            self.column["kl_nats"] = table.floats("kl_rb")
            self.column["entropy_nats"] = table.floats("entropy")
        else:  # the mean of -log p over samples of the policy itself is its entropy
            self.column["entropy_nats"] = -table.floats("reference_logp")
        score_MN = _scores(inputs, f"score.{role}", system.members, table)
        self.column["reward"] = system.combine(score_MN)
        if ensemble:
            self.column["spread"] = spread_of(_scores(inputs, f"watch.{role}", ensemble, table))
        if f"heldout.{role}" in inputs:
            self.column["heldout_proxy"] = aligned_scores(inputs[f"heldout.{role}"], table)
        if f"states.{role}" in inputs:
            p_N = watched_column(inputs[f"states.{role}"] / "states.parquet", "p", table)
            self.column["outlier_share"] = (p_N < LEVEL).astype(np.float64)
        if f"energy.{role}" in inputs:
            path = inputs[f"energy.{role}"] / "energy.parquet"
            self.column["energy_loss"] = watched_column(path, "energy", table)

    def at(self, step: int, start: _Seen) -> dict[str, float | int]:
        """Means over the samples of a step; rewards and energy against the initial policy."""
        row_N = self.step_N == step
        found: dict[str, float | int] = {"step": step}
        if self is start:
            found["kl_nats"] = 0.0
        for name, value_N in self.column.items():
            mean = float(value_N[row_N].mean())
            if name in ("reward", "heldout_proxy", "energy_loss"):
                mean -= float(start.column[name].mean())
            if name == "energy_loss":
                mean /= _positive_sd(start.column[name])
            found[name] = mean
        return found


def _positive_sd(value_N: Floats) -> float:
    sd = float(value_N.std(ddof=1))
    if not sd > 0:
        raise ValueError("the energy loss of all responses of the initial policy is the same")
    return sd


def _scores(inputs: dict[str, Path], role: str, members: int, table: Table) -> Floats:
    return np.stack([aligned_scores(inputs[f"{role}.{m}"], table) for m in range(members)])
