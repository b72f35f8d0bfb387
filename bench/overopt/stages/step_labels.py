"""Labels of steps: gold's opinion of every step of the pairs' responses, through label noise.

They are those of the world's own rule, whatever gold labels the pairs, and are made only for
systems that declare them; labels of pairs do not know of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import Table, write_json, write_table
from overopt.errors import UserError
from overopt.execution.contract import Progress
from overopt.spec.noise import NoiseSpec
from overopt.worlds.contract import World, world_of
from overopt.worlds.steps import stepwise
from overopt.worlds.tokens import Tokens, concatenate


def flip_steps(
    correct_K: npt.NDArray[np.bool_], noise: NoiseSpec, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """The labels of K steps through noise: exactly a share flipped, or relabeled by a fair coin.

    Raises:
        UserError: the noise is one of differences between two responses.
    """
    if noise.kind not in ("flip", "random"):
        raise UserError(
            f"labels of steps know no noise of the kind {noise.kind}, which is about two "
            "responses; give a share of flipped labels such as 0.25, or random:0.5"
        )
    steps = len(correct_K)
    label_K = correct_K.copy()
    changed = rng.permutation(steps)[: round(noise.amount * steps)]
    if noise.kind == "flip":
        label_K[changed] = ~label_K[changed]
    else:
        label_K[changed] = rng.random(len(changed)) < 0.5
    return label_K


class JudgedSteps(NamedTuple):
    """Both responses of each pair of a file, 2P of them, and what is true of their K steps.

    correct_K, progress_K: response after response, see ``StepTruth``. steps_N: how many each has.
    """

    prompt_id_N: npt.NDArray[np.int64]
    responses: Tokens
    steps_N: npt.NDArray[np.int64]
    correct_K: npt.NDArray[np.bool_]
    progress_K: npt.NDArray[np.bool_]

    def write(self, path: Path, label_K: npt.NDArray[np.bool_]) -> None:
        """Write the responses with a list of labels for each, 1 for a right step and 0 else."""
        write_table(
            path,
            {
                "prompt_id": self.prompt_id_N,
                "response": self.responses,
                "steps": Tokens.from_flat(label_K.astype(np.int32), self.steps_N),
            },
        )


def _judge(path: Path, world: World) -> JudgedSteps:
    table = Table(path)
    responses = concatenate([table.tokens("a"), table.tokens("b")])
    prompt_id_N = np.tile(table.integers("prompt_id"), 2)
    steps = stepwise(world)
    truth = steps.step_truth(world.train_prompts.take(prompt_id_N), responses)
    end_NT = steps.step_ends(responses)
    return JudgedSteps(
        prompt_id_N,
        responses,
        end_NT.sum(axis=1),
        truth.correct_NT[end_NT],
        truth.progress_NT[end_NT],
    )


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Label every step of both responses of each pair.

    Held-out pairs get noiseless labels, so that a proxy's accuracy on steps is about the gold.
    """
    world = world_of(params)
    noise = NoiseSpec.model_validate(params["noise"])
    judged = _judge(inputs["pairs"] / "pairs.parquet", world)
    correct_K = judged.correct_K
    label_K = flip_steps(correct_K, noise, numpy_rng(int(params["seed"]), "step labels"))
    judged.write(out / "steps.parquet", label_K)
    heldout = _judge(inputs["pairs"] / "heldout.parquet", world)
    heldout.write(out / "heldout.parquet", heldout.correct_K)
    write_json(
        out / "step_labels.json",
        {
            "noise": noise.label,
            "steps": len(label_K),
            "right": float(correct_K.mean()),
            "right_without_progress": float((correct_K & ~judged.progress_K).mean()),
            "realized_flip_rate": float((label_K != correct_K).mean()),
        },
    )
