"""One member of a system whose members start, learn or read in a way of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.artifacts.label_columns import NO_COLUMNS, LabelColumns, load_columns
from overopt.artifacts.member_loss import MemberLoss, ReferenceLogps
from overopt.artifacts.normalization import write_normalization
from overopt.artifacts.opponents import copy_opponents
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.own_proxy import write_head
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import Retokenizer, open_own_reader, read_pairs
from overopt.artifacts.randomness import derived_seed, numpy_rng
from overopt.artifacts.tables import write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.members import OpenedMembers
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress, part
from overopt.models.folders import save_model
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.models.rewards.headed import HeadedReward, Outputs, headed_rewards
from overopt.models.rewards.probing import probe_head
from overopt.models.rewards.reward import rewards, score
from overopt.models.rewards.reward_fitting import RewardTraining, fit_comparisons
from overopt.models.sequences import Batch
from overopt.proxies.contract.heads import HeadShape
from overopt.spec.origins import ModelOrigin
from overopt.spec.proxy import ProxySpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World, lexicon, world_of
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train one member.

    params: as of the stage ``proxy``, with ``system`` (ProxySystemSpec).

    Dropout is drawn from the member's own seed; the global random state is left as it was.
    """
    world = world_of(params)
    spec = ProxySpec.model_validate(params["proxy"])
    system = ProxySystemSpec.model_validate(params["system"])
    if spec.base is not None:
        write_json(out / "reader.json", spec.base.model_dump(mode="json"))
    columns = NO_COLUMNS
    if system.labels:
        columns = load_columns(inputs["columns"], inputs["labels"])
    opened = open_as(OpenedMembers, locate_own(system, inputs))
    if system.prepares:
        make = load("artifacts", "known_pairs").prepare
        columns = make(opened, columns, inputs, world, int(params["seed"]))
    making = _Making(
        world=world,
        spec=spec,
        system=system,
        opened=opened,
        seed=int(params["seed"]),
        member=int(params["member"]),
        inputs=inputs,
        policy=inputs["initial"] / "model" if "initial" in inputs else out,
        reading=open_own_reader(out, world),
        columns=columns,
    )
    rounds = int(system.config[system.rounds]) if system.rounds else 1
    labeled = load_preferences(inputs["labels"], world).preferences
    previous_P: Floats | None = None
    for turn in range(rounds):
        told = part(progress, 0.9 * turn / rounds, 0.9 * (turn + 1) / rounds)
        trained = _train(making, previous_P, told)
        if turn + 1 < rounds:
            previous_P = trained.margins(labeled)
    save_model(trained.trunk, out / "model", trained.tokenizer)
    if isinstance(trained.model, HeadedReward):
        write_head(out, trained.model, trained.shape, making.language)
    if system.pairwise:
        copy_opponents(inputs["opponents"], out)
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    sides = (heldout.chosen, heldout.rejected)
    score_2P = [trained.score_side(heldout.prompts, side) for side in sides]
    write_normalization(out, np.concatenate(score_2P))
    write_json(out / "training.json", trained.training.summary())


class _Making(NamedTuple):
    """What every round of a member's training is made from."""

    world: World
    spec: ProxySpec
    system: ProxySystemSpec
    opened: OpenedMembers
    seed: int
    member: int
    inputs: dict[str, Path]
    policy: Path
    reading: Retokenizer
    columns: LabelColumns

    @property
    def language(self) -> bool:
        """Whether the language head is kept."""
        return self.system.language


class _Trained(NamedTuple):
    """A member after a round.

    score_side: raw scores (N,) of responses to prompts.
    margins: by how much it prefers the preferred response of each comparison, as a logit, (P,).
    """

    trunk: PreTrainedModel
    tokenizer: Any
    model: PreTrainedModel | HeadedReward
    shape: HeadShape
    score_side: Callable[[Tokens, Tokens], Floats]
    margins: Callable[[Preferences], Floats]
    training: RewardTraining


def _train(making: _Making, previous_P: Floats | None, progress: Progress) -> _Trained:
    """One round, from the member's start; ``previous_P``: what the round before says of the pairs.

    The start is drawn from the same seed in every round.
    """
    world, spec, system, opened, seed, member, inputs, policy, reading, columns = making
    language, tokens = making.language, "states" in system.inputs
    if language:
        trunk, tokenizer = load_policy(policy), lexicon(world)
    else:
        origin = spec.architecture or spec.base or ModelOrigin(path=str(policy))
        trunk, tokenizer = load("models.starts", spec.start).start_reward(
            origin, world, derived_seed(seed, "proxy", member, "weights")
        )
    labeled = read_pairs(load_preferences(inputs["labels"], world).preferences, reading)
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    if system.start == "probed":
        probe_head(trunk, labeled)
    shape = HeadShape(int(trunk.config.hidden_size), columns.sizes)
    model, score_side = trunk, partial(_score_side, trunk, rewards, reading)
    margins = None
    if system.own_head:
        head = opened.make_head(shape, derived_seed(seed, "proxy", member, "head"))
        model = HeadedReward(trunk, head)
        score_side = partial(_score_side, model, headed_rewards, reading)
        if system.pairwise:
            start = load("artifacts", "pairwise_proxy").start
            model, comparer = start(trunk, head, inputs["opponents"], reading)
            score_side, margins = comparer.against_initial, comparer.margins
    margins = margins or partial(_margins, score_side)

    def judge() -> Floats:
        if system.settles:
            load("artifacts", "settling").settle(opened, model, labeled, columns)
        return margins(heldout)

    reference: ReferenceLogps | None = None
    if "reference_logps" in system.inputs:  # the trunk is still the initial policy
        reference = ReferenceLogps(
            score_logps(trunk, labeled.prompts, labeled.chosen),
            score_logps(trunk, labeled.prompts, labeled.rejected),
        )

    def read(batch: Batch) -> Outputs:
        if isinstance(model, HeadedReward):
            return model.read(batch, language, tokens)
        return Outputs(rewards(model, batch))

    own = opened.vary(member)
    rate = spec.training.learning_rate * own.rate
    _drop(trunk, own.dropout)
    with torch.random.fork_rng(devices=[] if trunk.device.type == "cpu" else None):
        torch.manual_seed(derived_seed(seed, "proxy", member, "dropout"))
        training = fit_comparisons(
            model,
            MemberLoss(opened, read, labeled, trunk, reference, columns, member, previous_P),
            judge,
            labeled,
            spec.training.model_copy(update={"learning_rate": rate}),
            numpy_rng(seed, "proxy", member, "batches"),
            progress,
        )
    return _Trained(trunk, tokenizer, model, shape, score_side, margins, training)


def _margins(score_side: Callable[[Tokens, Tokens], Floats], pairs: Preferences) -> Floats:
    """Score of the preferred response less that of the other, (P,)."""
    return score_side(pairs.prompts, pairs.chosen) - score_side(pairs.prompts, pairs.rejected)


def _score_side(
    model: nn.Module,
    read: Callable[[Any, Batch], Tensor],
    reading: Retokenizer,
    prompts: Tokens,
    responses: Tokens,
) -> Floats:
    """Raw scores (N,) of responses in the world's tokens."""
    return score(model, *reading(prompts, responses), read=read)


def _drop(trunk: nn.Module, chance: float) -> None:
    """Let the trunk's dropout layers drop activations with this chance; folders do not keep it."""
    for module in trunk.modules():
        if isinstance(module, nn.Dropout):
            module.p = chance
