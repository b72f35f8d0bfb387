"""The initial policy: supervised fine-tuning on reference texts, or a model as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from overopt.artifacts.randomness import derived_seed
from overopt.artifacts.tables import write_json
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.models.folders import save_model
from overopt.spec.policy import PolicySpec
from overopt.stages.imitation import imitate
from overopt.worlds.contract import lexicon, world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train a policy on ``examples`` (prompt, reference) texts of training prompts.

    It starts from scratch, or on a hub world from the model folder; no examples: as it is.
    """
    world = world_of(params)
    spec = PolicySpec.model_validate(params["policy"])
    seed = int(params["seed"])
    model: PreTrainedModel = load("models.starts", spec.start).start_policy(
        spec.architecture, world, derived_seed(seed, "initial", "weights")
    )
    if spec.training is None:
        save_model(model, out / "model", lexicon(world))
        write_json(out / "training.json", {"examples": 0, "steps": 0, "tokens": 0})
        return
    trajectory = imitate(model, world, spec.examples, spec.training, (seed, "initial"), progress)
    save_model(model, out / "model", lexicon(world))
    write_json(
        out / "training.json",
        {
            "examples": spec.examples,
            "steps": len(trajectory.loss_K),
            "tokens": trajectory.tokens,
            "first_loss_nats_per_token": float(trajectory.loss_K[0]),
            "last_loss_nats_per_token": float(np.mean(trajectory.loss_K[-20:])),
        },
    )
