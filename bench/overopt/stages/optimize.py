"""Moves the policy with a method, and keeps the policies that it passes on its way along KL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.randomness import numpy_rng, torch_rng
from overopt.engines.contract import (
    MemberRewards,
    Preference,
    Randomness,
    Refitter,
    Reward,
    RunInputs,
    StepEnds,
    StepRewards,
)
from overopt.engines.walk.trajectory import Trajectory
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.spec.method import MethodSpec
from overopt.stages.trajectory import build_probe, write_trajectory
from overopt.worlds.contract import Tokenized, World, context_tokens, world_of
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import SEP, Tokens


def run(
    params: dict[str, Any],
    inputs: dict[str, Path],
    out: Path,
    progress: Progress,
    kept: Path | None = None,
) -> None:
    """Optimize from the initial policy until the last KL budget, or for ``max_steps``.

    params: ``world``, ``method`` (MethodSpec), ``settings`` of its family, ``kl_grid_nats`` (empty:
    only the policy after ``max_steps``), ``seed``, ``engine``; for what samples also ``system``;
    for a policy that is to be merged with others ``member``, its number; for the engine trl also
    ``trl`` (TrlSpec). kept: folder that outlives a killed process.
    Gold is no input of this stage, so that no method can see it. Only a proxy that is trained again
    during the run, or a method that observes it, and declares that use of gold, has it.
    """
    if params["engine"] == "trl":
        load("stages", "optimize_trl").run(params, inputs, out, progress, kept)
        return
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    given = run_inputs(params, inputs, method, world, progress)
    engine = load("engines", method.trains)
    trajectory: Trajectory = engine.optimize(method, params["settings"], given)
    write_trajectory(out, trajectory, world, given.policy, {})


def run_inputs(
    params: dict[str, Any],
    inputs: dict[str, Path],
    method: MethodSpec,
    world: World,
    progress: Progress,
) -> RunInputs:
    """What a run is given: preference data and a reward where the stage has them."""
    seed = int(params["seed"])
    initial = inputs["initial"] / "model"
    use = ("optimize", method.name, *([params["member"]] if "member" in params else []))
    preferences: Preferences | None = None
    reward: Reward | None = None
    members: MemberRewards | None = None
    preference: Preference | None = None
    refit: Refitter | None = None
    steps: StepRewards | None = None
    if "labels" in inputs:
        read = load("artifacts", "preferences").load_preferences
        preferences = read(inputs["labels"], world).preferences
    if "system" in params:
        system = params["system"]
        if system.get("refits"):
            opened = load("artifacts", "refit").open_refit(inputs, params, system, world)
            refit = opened.observe
        else:
            opened = load("artifacts", "reward").open_reward(inputs, system, world)
        reward, members = opened, opened.members
        if system.get("pairwise"):
            preference = opened.prefer
        if system.get("step_scores"):
            steps = opened.steps
    gold: Reward | None = None
    if method.observes_gold:
        gold = load("artifacts", "observed_gold").open_observed(inputs, world)
    policy, reference = load_policy(initial), load_policy(initial)
    if not {"revisions", "revised_samples"}.isdisjoint(method.needs):
        for model in (policy, reference):
            # an answer, its separator, and a response to revise it
            longer = context_tokens(world) + world.response_tokens_max + 1
            load("models", "context").widen(model, longer)
    step_ends: StepEnds | None = None
    if "step_pairs" in method.needs:
        step_ends = load("worlds", "steps").stepwise(world).step_ends
    return RunInputs(
        policy=policy,
        reference=reference,
        prompts=world.train_prompts,
        preferences=preferences,
        reward=reward,
        max_new_tokens=world.response_tokens_max,
        budgets_nats=[float(kl_nats) for kl_nats in params["kl_grid_nats"]],
        randomness=Randomness(numpy_rng(seed, *use), torch_rng(seed, *use)),
        kl_probe=build_probe(world, seed),
        progress=progress,
        member_rewards=members,
        preference=preference,
        step_rewards=steps,
        demonstrations=_references(world, params) if "demonstrations" in method.needs else None,
        refit=refit,
        step_ends=step_ends,
        separator=None if isinstance(world, Tokenized) else SEP,
        second=load_policy(inputs["second"] / "model") if "second" in inputs else None,
        gold=gold,
    )


def _references(world: World, params: dict[str, Any]) -> Tokens:
    """The world's reference text for each training prompt: one data set for all seeds of runs."""
    rng = numpy_rng(int(params["world"]["seed"]), "demonstrations")
    return world.references(world.train_prompts, rng)
