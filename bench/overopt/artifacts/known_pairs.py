"""What is known of all pairs before a member is trained, and what its system makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from transformers import PreTrainedModel

from overopt.artifacts.label_columns import LabelColumns
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.randomness import torch_rng
from overopt.artifacts.tables import read_json
from overopt.engines.proxy.members import OpenedMembers
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.models.rewards.probing import read_states
from overopt.models.sampling import sample
from overopt.proxies.contract.known import Floats, KnownPairs
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


def prepare(
    opened: OpenedMembers, columns: LabelColumns, inputs: dict[str, Path], world: World, seed: int
) -> LabelColumns:
    """The columns, and those that the system makes of all pairs."""
    pairs = load_preferences(inputs["labels"], world).preferences
    initial = load_policy(inputs["initial"] / "model")
    known = KnownPairs(
        read_states(initial, pairs.prompts, pairs.chosen),
        read_states(initial, pairs.prompts, pairs.rejected),
        columns.values,
    )
    if "optimized" in inputs:
        last = read_json(inputs["optimized"] / "optimize.json")["snapshots"][-1]
        policy = load_policy(inputs["optimized"] / last["folder"])
        ratios = [
            _log_probability(policy, pairs.prompts, side)
            - _log_probability(initial, pairs.prompts, side)
            for side in (pairs.chosen, pairs.rejected)
        ]
        rng = torch_rng(seed, "known pairs")
        drawn = sample(policy, pairs.prompts, 1, world.response_tokens_max, rng).responses
        states_PD = read_states(initial, pairs.prompts, drawn)
        known = known._replace(
            chosen_ratio_P=ratios[0], rejected_ratio_P=ratios[1], optimized_PD=states_PD
        )
    return LabelColumns({**columns.values, **opened.prepare(known)}, columns.sizes)


def _log_probability(model: PreTrainedModel, prompts: Tokens, responses: Tokens) -> Floats:
    """Of each response, nats, (N,)."""
    return np.asarray(score_logps(model, prompts, responses).sum(axis=1, dtype=np.float64))
