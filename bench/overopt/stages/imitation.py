"""Supervised fine-tuning of a policy on reference texts of its world."""

from __future__ import annotations

from transformers import PreTrainedModel

from overopt.artifacts.randomness import numpy_rng
from overopt.execution.contract import Progress
from overopt.models.fitting import Trajectory
from overopt.models.language_fitting import train_language_model
from overopt.spec.training import TrainingSpec
from overopt.worlds.contract import World


def imitate(
    model: PreTrainedModel,
    world: World,
    examples: int,
    training: TrainingSpec,
    use: tuple[int, str],
    progress: Progress,
) -> Trajectory:
    """Train a policy, in place, on (prompt, reference) texts of training prompts.

    Args:
        model: the policy.
        world: which writes the texts.
        examples: how many, prompts drawn with replacement.
        training: optimizer, batch size and epochs.
        use: seed and label of the random numbers.
        progress: told the fraction done.
    """
    rng = numpy_rng(*use, "references")
    prompts = world.train_prompts.take(rng.integers(world.train_prompts.rows(), size=examples))
    references = world.references(prompts, rng)
    batches = numpy_rng(*use, "batches")
    return train_language_model(model, prompts, references, training, batches, progress)
