"""Merging tables of logits: the front that eta traces is known in closed form."""

from __future__ import annotations

import pytest
import torch

from overopt.methods.merge import warp

from . import table

INITIAL = {"logits": table.REFERENCE_LOGP_R}
CONFIG = warp.Config()


@pytest.mark.parametrize("eta", [0.1, 0.5, 1.0])
def test_drawing_back_an_optimum_gives_the_optimum_of_a_stronger_penalty(eta: float) -> None:
    """Members at pi_ref exp(r / beta) / Z: eta reaches pi_ref exp(eta r / beta) / Z."""
    member = {"logits": table.REFERENCE_LOGP_R + table.REWARD_R / 0.5}
    merged = warp.merge(CONFIG, INITIAL, [member, member], eta)
    logp_R = torch.log_softmax(merged["logits"], -1)
    assert torch.allclose(logp_R, table.tilted(0.5 / eta), atol=1e-9)


def test_members_of_different_rewards_merge_on_the_sphere() -> None:
    """Task vectors of equal length at an angle W: each has the share sin(W/2) / sin W."""
    other_R = table.REWARD_R.flip(0)
    members = [{"logits": table.REFERENCE_LOGP_R + reward} for reward in (table.REWARD_R, other_R)]
    merged = warp.merge(CONFIG, INITIAL, members, 1.0)
    cosine = table.REWARD_R @ other_R / table.REWARD_R.square().sum()
    angle = torch.arccos(cosine)
    share = torch.sin(angle / 2) / torch.sin(angle)
    vector_R = merged["logits"] - table.REFERENCE_LOGP_R
    assert torch.allclose(vector_R, share * (table.REWARD_R + other_R), atol=1e-9)
    assert vector_R.norm().item() == pytest.approx(table.REWARD_R.norm().item())
