"""Policies of a small world, honest samples of them, and samples that somebody forged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from overopt.artifacts.randomness import numpy_rng, torch_rng
from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.leaderboard.tiers.t2 import Looked, Stage
from overopt.leaderboard.verification.hidden import hidden_prompts
from overopt.leaderboard.verification.trial import Trial
from overopt.models.logprobs import kl_statistics
from overopt.models.sampling import sample
from overopt.models.starts.scratch import build_policy
from overopt.spec.training import ArchitectureSpec
from overopt.spec.world import WorldSpec
from overopt.worlds.contract import build, context_tokens
from overopt.worlds.tokens import Tokens

SPEC = WorldSpec(kind="tabular", seed=3, train_prompts=32, heldout_prompts=16)
SHAPE = ArchitectureSpec(layers=1, width=16, heads=2)
SAMPLES = 64
POINT = 1


def policy(stage: Stage, seed: int, scale: float) -> PreTrainedModel:
    """The reference with noise on its weights: another policy, some tenths of a nat away."""
    made = start(7)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            weight += (
                scale * weight.std().nan_to_num(0.0) * torch.randn(weight.shape, generator=rng)
            )
    return made


def start(seed: int) -> PreTrainedModel:
    """An untrained policy of the world."""
    world = build(SPEC)
    made = build_policy(
        SHAPE,
        vocabulary_size=len(world.vocabulary),
        context_tokens=context_tokens(world),
        seed=seed,
    )
    made.eval()
    return made


def make_stage(trial_seed: int, prompts: int = SPEC.heldout_prompts) -> Stage:
    """A world of its own for each trial, with the reference, its gold and hidden prompts.

    In one world held-out and hidden prompts are the same ones in every trial, and so is how they
    happen to differ; tests keep their level over worlds.
    """
    spec = SPEC.model_copy(update={"seed": 100 + trial_seed, "heldout_prompts": prompts})
    world = build(spec)
    hidden = hidden_prompts(spec, world, 64, numpy_rng(trial_seed, "hidden"))
    return Stage(world, start(7), world.gold, hidden, "tabular")


@dataclass
class Entry:
    """What an entry says of one policy: the weights that came along, and the page."""

    weights: PreTrainedModel
    samples: Samples


def honest(stage: Stage, model: PreTrainedModel, seed: int, count: int = SAMPLES) -> Entry:
    """A page as it should be: samples of the policy, measured."""
    prompts = stage.world.heldout_prompts
    limit = stage.world.response_tokens_max
    drawn = sample(model, prompts, count, limit, torch_rng(seed, "entry")).responses
    before = sample(stage.reference, prompts, count, limit, torch_rng(seed, "start")).responses
    return Entry(model, page(stage, model, stage.reference, drawn, before, count))


def page(
    stage: Stage,
    model: PreTrainedModel,
    reference: PreTrainedModel,
    drawn: Tokens,
    before: Tokens,
    count: int,
) -> Samples:
    """The page of one point, measured under a policy and a reference."""
    prompts = stage.world.heldout_prompts
    prompt_R = np.repeat(np.arange(prompts.rows(), dtype=np.int32), count)
    repeated = prompts.take(prompt_R)
    kl = kl_statistics(model, reference, repeated, drawn)
    gold_R = stage.gold(repeated, drawn)
    start_B = stage.gold(repeated, before).reshape(-1, count).mean(axis=1)
    kl_rb = np.asarray(kl.rb_N, np.float64)
    by_prompt = np.stack([start_B, gold_R.reshape(-1, count).mean(axis=1)])
    return Samples(
        point=np.full(len(prompt_R), POINT, np.int32),
        prompt_id=prompt_R,
        sample_id=np.tile(np.arange(count, dtype=np.int32), prompts.rows()),
        responses=drawn,
        reference_logp=kl.reference_logp_NT.sum(1, dtype=np.float64),
        gold=gold_R,
        proxy=gold_R,
        measured_K=np.array([0, POINT], np.int32),
        prompt_gold_KB=by_prompt,
        prompt_proxy_KB=by_prompt,
        prompt_kl_KB=np.stack([np.zeros(prompts.rows()), kl_rb.reshape(-1, count).mean(axis=1)]),
        policy_logp=kl.policy_logp_NT.sum(1, dtype=np.float64),
        kl_rb=kl_rb,
        entropy=np.asarray(kl.entropy_N, np.float64),
    )


def other_policy(stage: Stage, model: PreTrainedModel, seed: int) -> Entry:
    """Samples and their numbers are another policy's than the weights that came along."""
    return Entry(model, honest(stage, policy(stage, 99, 0.6), seed).samples)


def picked(stage: Stage, model: PreTrainedModel, seed: int, share: float = 1.0) -> Entry:
    """Of every two samples the one with more gold was kept, in a share of the slots."""
    whole = honest(stage, model, seed, 2 * SAMPLES).samples
    best_R = whole.gold.reshape(-1, 2).argmax(axis=1)
    best_R[numpy_rng(seed, "slots").random(len(best_R)) >= share] = 0
    first = honest(stage, model, seed + 1).samples
    drawn = whole.responses.take(best_R + 2 * np.arange(len(best_R)))
    before = first.responses
    made = page(stage, model, stage.reference, drawn, before, SAMPLES)
    start_B = first.prompt_gold_KB[0]
    return Entry(model, made._replace(prompt_gold_KB=np.stack([start_B, made.prompt_gold_KB[1]])))


def colder(stage: Stage, model: PreTrainedModel, seed: int, temperature: float = 0.5) -> Entry:
    """Sampled at another temperature, with the log-probabilities of temperature 1."""
    prompts, limit = stage.world.heldout_prompts, stage.world.response_tokens_max
    rng = torch_rng(seed, "cold")
    drawn = sample(model, prompts, SAMPLES, limit, rng, temperature=temperature).responses
    before = sample(stage.reference, prompts, SAMPLES, limit, torch_rng(seed, "start")).responses
    return Entry(model, page(stage, model, stage.reference, drawn, before, SAMPLES))


def altered_logps(stage: Stage, model: PreTrainedModel, seed: int) -> Entry:
    """The policy's log-probabilities lowered by 0.05 nats, so that KL looks smaller."""
    made = honest(stage, model, seed)
    shifted = made.samples.policy_logp - 0.05
    return replace(made, samples=made.samples._replace(policy_logp=shifted))


def wrong_reference(stage: Stage, model: PreTrainedModel, seed: int) -> Entry:
    """KL from a policy half of the way instead of the initial one."""
    half = start(7)
    with torch.no_grad():
        for weight, end in zip(half.parameters(), model.parameters(), strict=True):
            weight += 0.5 * (end - weight)
    made = honest(stage, model, seed)
    near = page(stage, model, half, made.samples.responses, made.samples.responses, SAMPLES)
    kept = near._replace(
        prompt_gold_KB=made.samples.prompt_gold_KB, reference_logp=made.samples.reference_logp
    )
    return replace(made, samples=kept)


def scaled_weights(stage: Stage, model: PreTrainedModel, seed: int) -> Entry:
    """Weights of a policy nearer to the initial one come along, to pass for little KL."""
    near = policy(stage, 5, 0.15)
    return Entry(near, honest(stage, model, seed).samples)


def trained_on_held_out(stage: Stage, model: PreTrainedModel, seed: int) -> Entry:
    """The best response to every held-out prompt was learned by heart."""
    return honest(stage, _learn_by_heart(stage), seed)


def _learn_by_heart(stage: Stage) -> PreTrainedModel:
    world = stage.world
    assert world.responses is not None
    prompts, every = world.heldout_prompts, world.responses
    rows = every.rows()
    prompt_N = np.repeat(np.arange(prompts.rows()), rows)
    gold_BR = stage.gold(prompts.take(prompt_N), every.take(np.tile(np.arange(rows), 16)))
    best = every.take(gold_BR.reshape(16, rows).argmax(axis=1))
    made = start(7)
    ids_BT = torch.from_numpy(np.concatenate([prompts.ids_NT, best.ids_NT], axis=1)).long()
    begin = prompts.ids_NT.shape[1]
    step = torch.optim.Adam(made.parameters(), lr=0.02)
    for _ in range(60):
        logits_BTV = made(ids_BT).logits[:, begin - 1 : -1]
        loss = cross_entropy(logits_BTV.flatten(0, 1), ids_BT[:, begin:].flatten())
        step.zero_grad()
        torch.autograd.backward(loss)
        step.step()
    made.eval()
    return made


FORGERIES: dict[str, tuple[Callable[[Stage, PreTrainedModel, int], Entry], set[str]]] = {
    "other_policy": (other_policy, {"source", "likelihood", "policy_logp", "kl"}),
    "picked": (picked, {"source"}),
    "colder": (colder, {"source", "likelihood"}),
    "altered_logps": (altered_logps, {"policy_logp"}),
    "wrong_reference": (wrong_reference, {"kl"}),
    "scaled_weights": (scaled_weights, {"source", "likelihood", "policy_logp", "kl"}),
    "trained_on_held_out": (trained_on_held_out, {"hidden_gold"}),
}
"""What is forged, and which checks of T2 find it."""


SMALLER: dict[str, Callable[[Stage, PreTrainedModel, int], Entry]] = {
    "temperature 0.5": colder,
    "temperature 0.7": partial(colder, temperature=0.7),
    "temperature 0.8": partial(colder, temperature=0.8),
    "temperature 0.9": partial(colder, temperature=0.9),
    "picked": picked,
    "picked in every second slot": partial(picked, share=0.5),
    "picked in every fifth slot": partial(picked, share=0.2),
    "other_policy": other_policy,
    "altered_logps": altered_logps,
    "wrong_reference": wrong_reference,
    "scaled_weights": scaled_weights,
    "honest": honest,
}
"""Forgeries whose power is counted, down to small ones; ``honest`` is none."""


def failures(cases: Sequence[tuple[Stage, Entry]], secret: int) -> set[str]:
    """Checks of T2 that an entry fails, one policy in each of some worlds."""
    looked = Looked(Trial(folder=None, secret=secret, deals=599))  # type: ignore[arg-type]
    for world, (stage, entry) in enumerate(cases):
        looked.judge_policy(stage, cell_of(world), POINT, entry.weights, entry.samples, "here")
    return {one.check for one in looked.conclude() if one.outcome == "fail"}


def cell_of(world: int) -> Cell:
    """The cell of a world's only seed."""
    return Cell(
        world=world,
        seed=0,
        proxy="single",
        noise="0",
        proxy_start="scratch",
        proxy_width=16,
        comparisons=512,
        gold_mean=0.0,
        gold_sd=1.0,
        proxy_offset=0.0,
        page=None,
    )
