"""A second initial policy: the first one fine-tuned anew, on other reference texts of the world.

Weights of two models can be averaged where both come from one start. Training twice from scratch
would give two models whose average is neither; so the second continues from the first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.tables import write_json
from overopt.execution.contract import Progress
from overopt.models.folders import save_model
from overopt.models.policy import load_policy
from overopt.spec.policy import PolicySpec
from overopt.stages.imitation import imitate
from overopt.worlds.contract import lexicon, world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train the initial policy for one more epoch of as many examples as it was trained on."""
    world = world_of(params)
    spec = PolicySpec.model_validate(params["policy"])
    assert spec.training is not None, "a task that takes a model as it is has no second policy"
    model = load_policy(inputs["initial"] / "model")
    once = spec.training.model_copy(update={"epochs": 1})
    use = (int(params["seed"]), "second")
    trajectory = imitate(model, world, spec.examples, once, use, progress)
    save_model(model, out / "model", lexicon(world))
    write_json(
        out / "training.json",
        {
            "examples": spec.examples,
            "steps": len(trajectory.loss_K),
            "tokens": trajectory.tokens,
        },
    )
