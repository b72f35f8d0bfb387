"""A second initial policy: the first one fine-tuned anew, on other reference texts of the world.

Weights of two models can be averaged where both come from one start. Training twice from scratch
would give two models whose average is neither; so the second continues from the first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import write_json
from overopt.errors import UserError
from overopt.execution.contract import Progress
from overopt.models.folders import save_model
from overopt.models.language_fitting import train_language_model
from overopt.models.policy import load_policy
from overopt.spec.policy import PolicySpec
from overopt.worlds.contract import lexicon, world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train the initial policy for one more epoch of as many examples as it was trained on.

    Raises:
        UserError: the task takes its initial policy as it is, so that there are no examples.
    """
    world = world_of(params)
    spec = PolicySpec.model_validate(params["policy"])
    if spec.training is None:
        raise UserError(
            "the task does not train its initial policy, so that there is no second one; set "
            "policy.training, or choose another method."
        )
    seed = int(params["seed"])
    model = load_policy(inputs["initial"] / "model")
    rng = numpy_rng(seed, "second", "references")
    prompts = world.train_prompts.take(rng.integers(world.train_prompts.rows(), size=spec.examples))
    trajectory = train_language_model(
        model,
        prompts,
        world.references(prompts, rng),
        spec.training.model_copy(update={"epochs": 1}),
        numpy_rng(seed, "second", "batches"),
        progress,
    )
    save_model(model, out / "model", lexicon(world))
    write_json(
        out / "training.json",
        {
            "examples": spec.examples,
            "steps": len(trajectory.loss_K),
            "tokens": trajectory.tokens,
        },
    )
