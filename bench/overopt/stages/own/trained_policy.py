"""A proxy that is a policy trained by the system's own loss, beside the initial policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.label_columns import NO_COLUMNS, load_columns
from overopt.artifacts.member_loss import MemberLoss
from overopt.artifacts.normalization import write_normalization
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.policy_proxy import PolicyScorer
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.members import OpenedMembers
from overopt.execution.contract import Progress, part
from overopt.models.policy import load_policy, save_model
from overopt.models.rewards.headed import Outputs
from overopt.models.rewards.ratio import PolicyPair
from overopt.models.rewards.reward_fitting import fit_comparisons
from overopt.models.sequences import Batch
from overopt.spec.proxy import ProxySpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import lexicon, world_of
from overopt.worlds.preferences import Preferences


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train one member from the initial policy, and normalize the scores that the system makes.

    params: as of the stage ``proxy``, with ``system`` (ProxySystemSpec).
    """
    world = world_of(params)
    spec = ProxySpec.model_validate(params["proxy"])
    system = ProxySystemSpec.model_validate(params["system"])
    seed, member = int(params["seed"]), int(params["member"])
    opened = open_as(OpenedMembers, locate_own(system, inputs))
    scorer = PolicyScorer(params["system"], inputs, world)
    initial = inputs["initial"] / "model"
    pair = PolicyPair(load_policy(initial), load_policy(initial).requires_grad_(False))
    labeled = load_preferences(inputs["labels"], world).preferences
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    columns = NO_COLUMNS
    if system.labels:
        columns = load_columns(inputs["columns"], inputs["labels"])

    def read(batch: Batch) -> Outputs:
        reward_B, said = scorer.read(pair, batch)
        policy_BT, reference_BT = said.policy_logp_BT, said.reference_logp_BT
        return Outputs(reward_B.float(), None, policy_BT.float(), reference_BT.float())

    def sides(pairs: Preferences) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
        return [scorer.score(pair, pairs.prompts, side) for side in (pairs.chosen, pairs.rejected)]

    training = fit_comparisons(
        pair,
        MemberLoss(opened, read, labeled, pair, None, columns, member),
        lambda: np.subtract(*sides(heldout)),
        labeled,
        spec.training,
        numpy_rng(seed, "proxy", member, "batches"),
        part(progress, 0, 0.9),
    )
    save_model(pair.policy, out / "model", lexicon(world))
    save_model(pair.reference, out / "reference", lexicon(world))
    write_normalization(out, np.concatenate(sides(heldout)))
    write_json(out / "training.json", training.summary())
