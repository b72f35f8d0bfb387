"""Composes policies along the knob of a method, and keeps those that meet the KL budgets.

What it writes is read like the artifact of ``optimize``. The models that a policy is composed of
lie in it once, and each of its policies is a recipe that names them.
"""

from __future__ import annotations

import os.path
import shutil
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.spending import spent, spent_beside
from overopt.artifacts.tables import read_json, write_json
from overopt.engines.method.composed import OpenedComposed
from overopt.engines.method.loading import open_as
from overopt.engines.walk.kl_walk import EARLY_FRACTIONS
from overopt.engines.walk.placing import or_furthest, place
from overopt.engines.walk.trajectory import Compute, Snapshot, Trajectory
from overopt.execution.contract import Progress
from overopt.methods.contract.composition import Composition
from overopt.models.composed import ComposedPolicy
from overopt.models.folders import RECIPE
from overopt.models.policy import load_policy
from overopt.spec.method import MethodSpec
from overopt.spec.recipe import PolicyTerm, Recipe, ValueTerm
from overopt.stages.trajectory import build_probe, folder_of, write_record
from overopt.worlds.contract import world_of

_LOG_KNOB_TOLERANCE = 0.01
"""sqrt(KL) grows about linearly in the knob, so that a budget is met to about 2 % of its KL."""


class Members:
    """The models that policies are composed of: in memory, and in the artifact once.

    spent: what their training has cost.

    Args:
        inputs: ``initial``; ``optimize.<m>`` of every run, whose last policy is a member; ``value``
            where values were learned.
        out: the artifact.
    """

    def __init__(self, inputs: dict[str, Path], out: Path) -> None:
        self._out = out
        places = {"initial": inputs["initial"] / "model"}
        costs = [spent_beside(inputs, "value")]
        for role in (role for role in inputs if role.startswith("optimize.")):
            last = read_json(inputs[role] / "optimize.json")["snapshots"][-1]
            places[role] = inputs[role] / last["folder"]
            costs.append(spent(last))
        if "value" in inputs:
            places["value"] = inputs["value"] / "model"
        for name, folder in places.items():
            shutil.copytree(folder, self._place(name))
        self.spent = Compute(*map(sum, zip(*costs, strict=True)))
        self._models = {name: load_policy(folder) for name, folder in places.items()}

    def _place(self, name: str) -> Path:
        return self._out / "members" / name

    @property
    def initial(self) -> PreTrainedModel:
        """The initial policy."""
        return self._models["initial"]

    def compose(self, made: Composition) -> ComposedPolicy:
        """The policy of these weights."""
        weights = self._weights(made)
        policies = [(self._models[name], weight) for name, weight in weights.items()]
        return ComposedPolicy(policies, self._models.get("value"), made.value, made.top_k)

    def write(self, made: Composition, folder: Path) -> None:
        """The recipe of these weights, in a folder of its own."""

        def relative(name: str) -> str:
            return Path(os.path.relpath(self._place(name), folder)).as_posix()

        terms = tuple(
            PolicyTerm(folder=relative(name), weight=weight)
            for name, weight in self._weights(made).items()
        )
        value: ValueTerm | None = None
        if "value" in self._models:
            value = ValueTerm(folder=relative("value"), weight=made.value, top_k=made.top_k)
        folder.mkdir(parents=True)
        write_json(folder / RECIPE, Recipe(policies=terms, value=value).to_json())

    def _weights(self, made: Composition) -> dict[str, float]:
        """The weight of each policy by name, the initial one first."""
        trained = {f"optimize.{m}": weight for m, weight in enumerate(made.trained)}
        return {"initial": made.initial, **trained}


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Place the composed policies on the budgets by the cheap KL estimate; write their recipes.

    params: ``world``, ``method`` (MethodSpec), ``kl_grid_nats``, ``seed``. inputs: see ``Members``.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    opened = open_as(OpenedComposed, method)
    members = Members(inputs, out)
    probe = build_probe(world_of(params), int(params["seed"]))
    budgets = [float(kl_nats) for kl_nats in params["kl_grid_nats"]]

    def kl_of(knob_value: float) -> float:
        progress(0.5, f"{method.knob.name} {knob_value:.3g}")
        return probe(members.compose(opened.compose(knob_value)), members.initial)

    early = [fraction * fraction * budgets[0] for fraction in EARLY_FRACTIONS]
    places = place(kl_of, method.knob, budgets, early, _LOG_KNOB_TOLERANCE)
    places = or_furthest(places, method.knob)
    snapshots: list[Snapshot] = []
    knob_of_step: dict[int, float] = {}
    for kl_nats, value in places:
        if value is None:
            continue
        step = len(snapshots) + 1
        members.write(opened.compose(value), out / folder_of(step))
        met = () if kl_nats is None else (kl_nats,)
        snapshots.append(Snapshot(step, kl_of(value), met, members.spent, {}))
        knob_of_step[step] = value
    unreached = [one.kl_target_nats for one in places if one.knob_value is None]
    beyond = tuple(kl_nats for kl_nats in unreached if kl_nats is not None)
    write_record(out, Trajectory(tuple(snapshots), beyond, (), members.spent), knob_of_step)
