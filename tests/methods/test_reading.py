"""Readings are cut, grouped and changed part by part, with what is missing left missing."""

import pytest
import torch

from overopt.methods.contract.reading import Reading

# two responses of two tokens; the second ends after its first
PLAIN = Reading(
    policy_logp=torch.tensor([[-1.0, -2.0], [-3.0, 7.0]]),
    reference_logp=torch.tensor([[-2.0, -2.5], [-1.0, 9.0]]),
    mask=torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
)
FULL = PLAIN._replace(
    forward_kl=torch.tensor([[0.1, 0.2], [0.3, 0.0]]),
    output=torch.arange(12.0).view(2, 2, 3),
    anchor_logp=torch.tensor([[-1.5, -2.0], [-3.0, 8.0]]),
    sampled_logp=torch.tensor([[-1.25, -2.0], [-3.5, 8.0]]),
    weight=torch.tensor([0.5, 2.0]),
    label=torch.tensor([1.0, 0.0]),
    score=torch.tensor([0.25, -1.0]),
    collision_logp=torch.tensor([[-0.5, -1.0], [-1.5, 0.0]]),
    reverse_kl=torch.tensor([[0.2, 0.1], [0.4, 0.0]]),
)


def test_log_ratios_by_hand() -> None:
    # 1 + 0.5 and -2, with nothing from padding; to the anchor 0.5 and 0
    assert PLAIN.log_ratio.tolist() == [1.5, -2.0]
    assert FULL.anchor_log_ratio.tolist() == [0.5, 0.0]
    assert PLAIN.anchor_log_ratio.tolist() == [1.5, -2.0]  # without one, it is the reference
    assert FULL.sampled_log_ratio.tolist() == [0.25, 0.5]
    assert PLAIN.mean_logp.tolist() == [-1.5, -3.0]
    with pytest.raises(ValueError, match="sampled_logp was not computed"):
        _ = PLAIN.sampled_log_ratio


@pytest.mark.parametrize("reading", [PLAIN, FULL])
def test_every_part_that_is_there_is_taken(reading: Reading) -> None:
    taken = reading.take(torch.tensor([1]))
    for whole, part in zip(reading, taken, strict=True):
        assert (whole is None) == (part is None)
        if whole is not None and part is not None:
            assert torch.equal(part, whole[1:])


def test_only_what_the_policy_says_is_changed() -> None:
    moved = FULL.map_policy(torch.zeros_like)
    assert moved.forward_kl is not None and moved.output is not None
    assert not moved.policy_logp.any() and not moved.forward_kl.any() and not moved.output.any()
    assert moved.reference_logp is FULL.reference_logp and moved.mask is FULL.mask
    assert moved.anchor_logp is FULL.anchor_logp
    said = {"policy_logp", "forward_kl", "output", "collision_logp", "reverse_kl"}
    assert set(FULL.policy_parts()) == said
    assert set(PLAIN.policy_parts()) == {"policy_logp"}


def test_rows_are_grouped_and_groups_come_apart() -> None:
    doubled = FULL.map(lambda part: torch.cat([part, part + 1]))
    first, second = doubled.group(2).unbind(0)
    for before, after in zip(FULL, first, strict=True):
        assert before is not None and after is not None and torch.equal(before, after)
    assert first.output is not None and second.output is not None
    assert torch.equal(second.output, first.output + 1)
    left, right = doubled.group(2).unbind(1)
    assert left.policy_logp.tolist() == [[-1.0, -2.0], [0.0, -1.0]]
    assert right.policy_logp.tolist() == [[-3.0, 7.0], [-2.0, 8.0]]
    assert left.forward_kl is not None and left.forward_kl.shape == (2, 2)
