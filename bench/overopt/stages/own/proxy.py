"""One member of a system whose members start, learn or read in a way of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from overopt.artifacts.label_columns import NO_COLUMNS, load_columns
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
from overopt.models.rewards.reward_fitting import fit_comparisons
from overopt.models.sequences import Batch
from overopt.proxies.contract.heads import HeadShape
from overopt.spec.origins import ModelOrigin
from overopt.spec.proxy import ProxySpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import lexicon, world_of
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
    opened = open_as(OpenedMembers, locate_own(system, inputs))
    seed, member = int(params["seed"]), int(params["member"])
    language, tokens = system.language, "states" in system.inputs
    policy = inputs["initial"] / "model" if "initial" in inputs else out
    if language:
        trunk, tokenizer = load_policy(policy), lexicon(world)
    else:
        origin = spec.architecture or spec.base or ModelOrigin(path=str(policy))
        trunk, tokenizer = load("models.starts", spec.start).start_reward(
            origin, world, derived_seed(seed, "proxy", member, "weights")
        )
    if spec.base is not None:
        write_json(out / "reader.json", spec.base.model_dump(mode="json"))
    reading = open_own_reader(out, world)
    unread = load_preferences(inputs["labels"], world).preferences
    unread_heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    labeled = read_pairs(unread, reading)
    if system.start == "probed":
        probe_head(trunk, labeled)
    columns = NO_COLUMNS
    if system.labels:
        columns = load_columns(inputs["columns"], inputs["labels"])
    shape = HeadShape(int(trunk.config.hidden_size), columns.sizes)
    model, score_side, margins = trunk, partial(_score_side, trunk, rewards, reading), None
    if system.own_head:
        head = opened.make_head(shape, derived_seed(seed, "proxy", member, "head"))
        model = HeadedReward(trunk, head)
        score_side = partial(_score_side, model, headed_rewards, reading)
        if system.pairwise:
            start = load("artifacts", "pairwise_proxy").start
            model, comparer = start(trunk, head, inputs["opponents"], reading)
            score_side, margins = comparer.against_initial, comparer.margins

    def judge() -> Floats:
        if system.settles:
            load("artifacts", "settling").settle(opened, model, labeled, columns)
        if margins is not None:
            judged: Floats = margins(unread_heldout)
            return judged
        prompts = unread_heldout.prompts
        return score_side(prompts, unread_heldout.chosen) - score_side(
            prompts, unread_heldout.rejected
        )

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
            MemberLoss(opened, read, labeled, trunk, reference, columns, member),
            judge,
            labeled,
            spec.training.model_copy(update={"learning_rate": rate}),
            numpy_rng(seed, "proxy", member, "batches"),
            part(progress, 0, 0.9),
        )
    save_model(trunk, out / "model", tokenizer)
    if isinstance(model, HeadedReward):
        write_head(out, model, shape, language)
    if system.pairwise:
        copy_opponents(inputs["opponents"], out)
    sides = (unread_heldout.chosen, unread_heldout.rejected)
    score_2P = [score_side(unread_heldout.prompts, side) for side in sides]
    write_normalization(out, np.concatenate(score_2P))
    write_json(out / "training.json", training.summary())


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
