"""Sets what a head holds besides its trained weights, from the comparisons that it learned."""

from __future__ import annotations

import torch

from overopt.artifacts.label_columns import LabelColumns
from overopt.engines.proxy.members import OpenedMembers
from overopt.models.rewards.headed import HeadedReward
from overopt.models.rewards.pairwise import read_trunk
from overopt.proxies.contract.heads import HeadStates, TrainedStates
from overopt.worlds.preferences import Preferences


def settle(
    opened: OpenedMembers, model: HeadedReward, preferences: Preferences, columns: LabelColumns
) -> None:
    """Let a system set its head, in place, by states of the trained trunk.

    Args:
        opened: which settles.
        model: trained.
        preferences: the comparisons that it learned from, as it reads them.
        columns: what labels say beside the preference, a row for each comparison.

    Raises:
        FloatingPointError: something that it has set is not finite.
    """
    sides = (preferences.chosen, preferences.rejected)
    chosen, rejected = (
        HeadStates(
            *(part.to(model.device) for part in read_trunk(model, preferences.prompts, side))
        )
        for side in sides
    )
    chosen_length_P, rejected_length_P = (
        torch.from_numpy(side.length_N.astype("float32")).to(model.device) for side in sides
    )
    labels = {
        name: torch.tensor(value_P).to(model.device) for name, value_P in columns.values.items()
    }
    model.eval()
    opened.settle(
        model.head,
        TrainedStates(chosen, rejected, chosen_length_P, rejected_length_P, labels),
    )
    for name, value in model.head.state_dict().items():
        if not torch.isfinite(value).all():
            raise FloatingPointError(f"{opened.name}: settle has set {name} to NaN or infinity")
