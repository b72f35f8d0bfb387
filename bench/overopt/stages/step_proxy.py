"""One proxy of steps: a reward model trained on labels of steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.randomness import derived_seed, numpy_rng
from overopt.artifacts.step_member import StepReader, load_steps
from overopt.artifacts.tables import write_json
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress, part
from overopt.models.folders import save_model
from overopt.models.rewards.step_fitting import train_steps
from overopt.models.rewards.step_scores import score_tokens
from overopt.spec.origins import ModelOrigin
from overopt.spec.proxy import ProxySpec
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train one member: same steps for every member, another seed for weights and batches.

    A batch holds both responses of as many comparisons as that of a proxy that learns from pairs,
    so that both take equally many optimizer steps over the same responses.

    The mean and SD that normalize its reduced scores come from responses of the initial policy to
    training prompts that it was not trained on.
    """
    world = world_of(params)
    spec = ProxySpec.model_validate(params["proxy"])
    seed, member = int(params["seed"]), int(params["member"])
    labeled = load_steps(inputs["step_labels"], world)
    policy = inputs["initial"] / "model" if "initial" in inputs else out
    origin = spec.architecture or ModelOrigin(path=str(policy))
    model, tokenizer = load("models.starts", spec.start).start_reward(
        origin, world, derived_seed(seed, "proxy", member, "weights")
    )
    responses = spec.training.model_copy(update={"batch_size": 2 * spec.training.batch_size})
    trajectory = train_steps(
        model,
        *labeled,
        responses,
        numpy_rng(seed, "proxy", member, "batches"),
        part(progress, 0, 0.9),
    )
    save_model(model, out / "model", tokenizer)
    steps = load_steps(inputs["step_labels"], world, "heldout")
    agrees_NT = (score_tokens(model, steps.prompts, steps.responses) > 0) == steps.correct_NT
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    reader = StepReader(world, params["system"], inputs)
    chosen_P, rejected_P = (
        reader.score(model, heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)
    )
    score_N = np.concatenate([chosen_P, rejected_P])
    sd = float(score_N.std(ddof=1))
    if not sd > 0:
        raise ValueError("the proxy gives every response of the initial policy the same score")
    write_json(out / "normalization.json", {"mean": float(score_N.mean()), "sd": sd})
    write_json(
        out / "training.json",
        {
            "steps": len(trajectory.loss_K),
            "tokens": trajectory.tokens,
            "first_loss_nats": float(trajectory.loss_K[0]),
            "last_loss_nats": float(trajectory.loss_K[-10:].mean()),
            "heldout_step_accuracy": float(agrees_NT[steps.end_NT].mean()),
            "heldout_accuracy": float(
                ((chosen_P > rejected_P) + 0.5 * (chosen_P == rejected_P)).mean()
            ),
        },
    )
