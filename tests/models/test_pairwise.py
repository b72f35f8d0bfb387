"""Comparisons of two responses: averaged over both orders, whatever the head favors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from overopt.models.rewards.headed import headed_rewards
from overopt.models.rewards.pairwise import Compared, PairwiseReward, preferences, read_trunk
from overopt.models.sequences import join
from overopt.worlds.tokens import concatenate
from systems.compared import Difference

from . import tiny

A = tiny.tokens([4, 3], [4, 4, 3], [5, 4, 3], [5, 5, 4])
B = tiny.tokens([5, 3], [4, 4, 3], [5, 5, 3], [4, 3])


def model(head: nn.Module | None = None) -> PairwiseReward:
    torch.manual_seed(0)
    trunk = tiny.reward_model(0)
    return PairwiseReward(trunk, head or Difference(int(trunk.config.hidden_size))).eval()


class Fixed(nn.Module):
    """Logits that were written down, by turns for one order and the other."""

    def __init__(self, *chances: float) -> None:
        super().__init__()
        self.logits = [float(np.log(p / (1 - p))) for p in chances]

    def forward(self, states: Compared) -> Tensor:
        self.logits = [*self.logits[1:], self.logits[0]]
        return torch.full((len(states.first.last_BD), 1), self.logits[-1])


def test_both_orders_are_averaged_by_hand() -> None:
    # .7 as first; as second the other is preferred with .4, it with .6
    fixed = model(Fixed(0.7, 0.4))
    states = read_trunk(fixed, tiny.prompts(), A)
    assert preferences(fixed, states, states) == pytest.approx(np.full(4, 0.65))


def test_chances_of_both_orders_sum_to_one_and_equals_are_even() -> None:
    made = model()
    a, b = (read_trunk(made, tiny.prompts(), side) for side in (A, B))
    forth, back = preferences(made, a, b), preferences(made, b, a)
    assert forth + back == pytest.approx(np.ones(4))
    assert preferences(made, a, a) == pytest.approx(np.full(4, 0.5))
    assert forth[1] == pytest.approx(0.5)  # the same text on both sides
    assert np.ptp(forth) > 0.01


def test_a_difference_of_rewards_is_bradley_terry() -> None:
    made = model()
    assert isinstance(made.head, Difference)
    weight_D1 = made.head.better.weight.detach().double().T
    with torch.no_grad():
        made.head.place.zero_()
    a, b = (read_trunk(made, tiny.prompts(), side) for side in (A, B))
    reward_a, reward_b = ((one.last_BD.double() @ weight_D1).squeeze(1).numpy() for one in (a, b))
    expected = 1 / (1 + np.exp(reward_b - reward_a))
    assert preferences(made, a, b) == pytest.approx(expected, abs=1e-6)


def test_a_batch_in_training_holds_both_orders_of_its_comparisons() -> None:
    made = model()
    batch = join(concatenate([tiny.prompts(), tiny.prompts()]), concatenate([A, B]))
    forth, back = headed_rewards(made, batch).chunk(2)
    a, b = (made.states(join(tiny.prompts(), side)) for side in (A, B))
    torch.testing.assert_close(forth, made.compare(a, b).squeeze(1))
    torch.testing.assert_close(back, made.compare(b, a).squeeze(1))


def test_equal_rows_have_equal_states_to_the_last_bit() -> None:
    rows = np.array([0, 2, 0, 3, 0])
    states = read_trunk(model(), tiny.prompts().take(rows), A.take(rows))
    assert torch.equal(states.last_BD[0], states.last_BD[2])
    assert torch.equal(states.last_BD[0], states.last_BD[4])
    direct = model().states(join(tiny.prompts(), A))
    torch.testing.assert_close(states.last_BD[1], direct.last_BD[2])
    torch.testing.assert_close(states.prompt_BD[3], direct.prompt_BD[3])


def test_a_head_of_another_shape_is_refused() -> None:
    class Wide(nn.Module):
        def forward(self, states: Compared) -> Tensor:
            return states.first.last_BD

    wide = model(Wide())
    states = read_trunk(wide, tiny.prompts(), A)
    with pytest.raises(ValueError, match="one logit for each"):
        preferences(wide, states, states)
