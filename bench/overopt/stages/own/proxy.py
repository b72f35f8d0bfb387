"""One member of a system whose members start or learn in a way of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from overopt.artifacts.normalization import write_normalization
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import open_own_reader, read_pairs
from overopt.artifacts.randomness import derived_seed, numpy_rng
from overopt.artifacts.tables import write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy_members import OpenedMembers
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress, part
from overopt.models.folders import save_model
from overopt.models.probing import probe_head
from overopt.models.reward import score
from overopt.models.reward_fitting import bradley_terry_loss, train_reward
from overopt.spec.origins import ModelOrigin
from overopt.spec.proxy import ProxySpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train one member; what it leaves is read like any other proxy.

    params: as of the stage ``proxy``, with ``system`` (ProxySystemSpec).

    Dropout is drawn from the member's own seed; the global random state is left as it was.
    """
    world = world_of(params)
    spec = ProxySpec.model_validate(params["proxy"])
    system = ProxySystemSpec.model_validate(params["system"])
    opened = open_as(OpenedMembers, locate_own(system, inputs))
    seed, member = int(params["seed"]), int(params["member"])
    policy = inputs["initial"] / "model" if "initial" in inputs else out
    origin = spec.architecture or spec.base or ModelOrigin(path=str(policy))
    model, tokenizer = load("models.starts", spec.start).start_reward(
        origin, world, derived_seed(seed, "proxy", member, "weights")
    )
    if spec.base is not None:
        write_json(out / "reader.json", spec.base.model_dump(mode="json"))
    reading = open_own_reader(out, world)
    labeled, heldout = (
        read_pairs(load_preferences(inputs["labels"], world, name).preferences, reading)
        for name in ("labels", "heldout")
    )
    if system.start == "probed":
        probe_head(model, labeled)
    loss = bradley_terry_loss
    if system.own_loss:
        loss = load("artifacts", "proxy_loss").open_loss(inputs, params["system"])
    own = opened.vary(member)
    rate = spec.training.learning_rate * own.rate
    _drop(model, own.dropout)
    with torch.random.fork_rng(devices=[] if model.device.type == "cpu" else None):
        torch.manual_seed(derived_seed(seed, "proxy", member, "dropout"))
        training = train_reward(
            model,
            labeled,
            heldout,
            spec.training.model_copy(update={"learning_rate": rate}),
            numpy_rng(seed, "proxy", member, "batches"),
            part(progress, 0, 0.9),
            loss,
        )
    save_model(model, out / "model", tokenizer)
    sides = (heldout.chosen, heldout.rejected)
    write_normalization(
        out, np.concatenate([score(model, heldout.prompts, side) for side in sides])
    )
    write_json(out / "training.json", training.summary())


def _drop(model: nn.Module, chance: float) -> None:
    """Let every dropout layer drop activations with this chance; saved folders do not keep it."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = chance
