from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import bstar

from . import fresh

CONFIG = bstar.Config(good=0.5, share=0.25)


def flags(*rows: str) -> Tensor:
    return torch.tensor([[letter == "x" for letter in row] for row in rows])


@pytest.mark.parametrize(
    ("kept", "good", "expected"),
    [
        ("xxxx", "xxx.", 0.75),  # one correct of four is enough: min(3, 1) 3/4
        ("x...", "x...", 1.0),
        ("xx..", "..xx", 0.0),
        ("....", "xxxx", 0.0),
    ],
)
def test_balance_by_hand(kept: str, good: str, expected: float) -> None:
    assert bstar.balance(flags(kept), flags(good), 0.25) == pytest.approx(expected)


def test_balance_of_the_papers_example() -> None:
    """3 of 4 kept are correct and 8 would be enough: 3/8 3/4 = .28125; a second prompt has none."""
    kept_BN, good_BN = flags("xxxx" + "." * 60), flags("xxx" + "." * 61)
    assert bstar.balance(kept_BN, good_BN, 0.125) == pytest.approx(0.28125)
    two = torch.cat([kept_BN, flags("." * 64)]), torch.cat([good_BN, flags("x" * 64)])
    assert bstar.balance(*two, 0.125) == pytest.approx(0.140625)


def seen(
    memory: bstar.Search,
    reward: list[float],
    gold: list[float],
    logp: list[float] | None = None,
    config: bstar.Config = CONFIG,
) -> bstar.Search:
    """After a prompt's samples of one token, all of them different ones unless ``logp`` says."""
    memory = bstar.observe_gold(config, memory, torch.tensor([gold]))
    logp_1N1 = torch.tensor(logp or [-1.0 - n for n in range(len(reward))])[None, :, None]
    sampled = Reading(logp_1N1, logp_1N1, torch.ones_like(logp_1N1))
    return bstar.observe(config, memory, Rollout(torch.tensor([reward]), sampled))


def test_samples_that_are_the_same_count_once() -> None:
    """64 times one correct sample: one of 8 is enough, and it is all that is kept. Of two samples
    drawn twice, one correct, half of what is kept is: with 2 of 4 enough that is 1/2 1/2."""
    config, memory = bstar.Config(share=0.125), bstar.begin(CONFIG, {})
    memory = seen(memory, [3.0] * 64, [1.0] * 64, [-2.0] * 64, config)
    assert memory.balance_of[0] == 0.125
    config, memory = bstar.Config(share=0.5), bstar.begin(CONFIG, {})
    twice = seen(memory, [3.0] * 4, [1.0, 0.0, 1.0, 0.0], [-2.0, -1.0, -2.0, -1.0], config)
    assert twice.balance_of[0] == 0.25


def test_samples_are_the_same_only_token_by_token_within_a_prompt() -> None:
    """Equal sums are not enough, nor are equal log-probabilities of another length."""
    logp = torch.tensor([[-1.0, -2.0], [-2.0, -1.0], [-1.0, -2.0], [-1.0, 0.0]])
    mask = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    longer = torch.cat([mask[:3], torch.ones(1, 2)])
    both = Reading(*(torch.stack([each, each]) for each in (logp, logp, mask)))
    assert bstar.first_of_equal(both).tolist() == [[True, True, False, True]] * 2
    ended = torch.cat([logp[3:], logp[3:]])
    one = Reading(ended[None], ended[None], torch.stack([mask[3], longer[3]])[None])
    assert bstar.first_of_equal(one).tolist() == [[True, True]]


def test_a_threshold_is_chosen_for_the_round_after_the_one_whose_gold_was_seen() -> None:
    """The two best by proxy are right: every threshold from .3 to 1 has balance 1."""
    memory = bstar.begin(CONFIG, {})
    assert (memory.threshold, bstar.temperature(CONFIG, memory)) == (0.0, 0.6)
    memory = seen(memory, [1.1, 1.5, 0.25, -0.4], [0.9, 0.6, 0.1, 0.4])
    assert (memory.threshold, memory.coming) == (0.0, 0.3)
    rollout = fresh.rollout([[0.1, 0.35, 0.0, 2.0]])._replace(memory=memory)
    assert bstar.build(CONFIG, rollout).row_K.tolist() == [0, 1, 3]  # 0 does not exceed 0
    memory = seen(memory, [1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0])
    assert memory.threshold == 0.3
    assert bstar.build(CONFIG, rollout._replace(memory=memory)).row_K.tolist() == [1, 3]


def test_a_threshold_stays_where_no_sample_is_correct() -> None:
    """Every threshold has balance 0 there; the lowest would let nearly everything be learned."""
    memory = bstar.begin(CONFIG, {})
    memory = seen(memory, [1.1, 1.5, 0.25, -0.4], [0.0] * 4)
    assert memory.coming == CONFIG.threshold == 0.0
    memory = seen(memory, [1.1, 1.5, 0.25, -0.4], [0.9, 0.6, 0.1, 0.4])
    memory = seen(memory, [1.1, 1.5, 0.25, -0.4], [0.0] * 4)
    assert (memory.threshold, memory.coming) == (0.3, 0.3)


def test_temperatures_take_turns_and_then_the_most_balanced_is_used() -> None:
    memory = bstar.begin(CONFIG, {})
    right, half, none = [1.0] * 4, [1.0, 1.0, 0.0, 0.0], [0.0] * 4
    used = []
    for gold in (half, none, right, half, half):
        used.append(bstar.temperature(CONFIG, memory))
        memory = seen(memory, [1.0] * 4, gold)
    # the third temperature is used after all were tried, and has lost its lead since
    assert used == [0.6, 0.8, 1.0, 1.2, 1.0]
    assert memory.balance_of == (0.5, 0.0, 0.5, 0.5)
    assert bstar.temperature(CONFIG, memory) == 0.6


def test_without_gold_the_file_is_to_be_mended() -> None:
    with pytest.raises(ValueError, match="gold was not computed"):
        bstar.observe(CONFIG, bstar.begin(CONFIG, {}), fresh.rollout([[1.0]]))


def test_loss_by_hand() -> None:
    """Two kept responses of -.5 and -1 nats: 1.5 together."""
    found = bstar.loss(CONFIG, fresh.read(torch.tensor([-0.5, -1.0, -9.0]), torch.tensor([0, 1])))
    assert found.sum().item() == pytest.approx(1.5)
    assert not math.isnan(found.sum().item())
