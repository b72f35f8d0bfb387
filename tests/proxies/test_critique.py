import math

import pytest
import torch

from overopt.proxies.contract.heads import HeadShape, HeadStates
from overopt.proxies.critique import Config, loss, make_head

from .headed import outputs, read, states


def test_losses_by_hand() -> None:
    """Reward 1 apart. Logits of three words 0, 0, log 2: p = .25, .25, .5."""
    words = [0.0, 0.0, math.log(2.0)]
    chosen_PC, rejected_PC = torch.tensor([[1.0, *words]]), torch.tensor([[0.0, *words]])
    for term, word in ((1.0, (math.log(2), math.log(4))), (0.0, (math.log(4), math.log(4)))):
        given = outputs(chosen_PC, rejected_PC, {"terms": torch.tensor([[term]])})
        found = loss(Config(word_weight=0.5), given)
        assert found.item() == pytest.approx(0.313262 + 0.5 * sum(word) / 2, abs=1e-6)


def test_words_are_the_likeliest_ones_where_it_scores_and_drawn_where_it_learns() -> None:
    torch.manual_seed(0)
    head = make_head(Config(), HeadShape(6, {"terms": 1}))
    with torch.no_grad():
        head.write.weight.zero_()
        head.write.bias.copy_(torch.tensor([0.0, math.log(2.0), 0.0]))
        head.read.weight.zero_()
        head.read.bias.zero_()
        head.read.weight[:3, 6:] = torch.eye(3)
        head.judge.weight.zero_()
        head.judge.weight[0, :3] = torch.tensor([1.0, 10.0, 100.0])
        head.judge.bias.zero_()
    many = HeadStates(torch.randn(4000, 6), torch.randn(4000, 6))
    head.eval()
    assert head(many)[:, 0].tolist() == [10.0] * 4000
    head.train()
    drawn = head(many)[:, 0]
    shares = [(drawn == value).float().mean().item() for value in (1.0, 10.0, 100.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.03)  # 4 SDs of .008


def test_no_gradient_goes_through_what_is_written() -> None:
    torch.manual_seed(0)
    head = make_head(Config(), HeadShape(6, {"terms": 2}))
    labels = {"terms": torch.tensor([[1.0, 0.0]] * 5)}
    torch.autograd.backward(loss(Config(word_weight=0.0), read(head, states(5, 6), labels)).sum())
    assert head.write.weight.grad is not None and not head.write.weight.grad.any()
    assert head.read.weight.grad is not None and head.read.weight.grad[:, 6:].any()
    head.zero_grad()
    torch.autograd.backward(loss(Config(), read(head, states(5, 6), labels)).sum())
    assert head.write.weight.grad.any()


def test_a_critic_that_may_not_read_its_words_is_a_reward_model_of_two_layers() -> None:
    head = make_head(Config(), HeadShape(6, {"terms": 2}))
    with torch.no_grad():
        head.read.weight[:, 6:] = 0.0
    both = states(5, 6)
    hidden_PC = torch.relu(both[0].last_BD @ head.read.weight[:, :6].T + head.read.bias)
    torch.testing.assert_close(head(both[0])[:, :1], head.judge(hidden_PC))
