import math

import pytest
import torch

from overopt.catalog import systems
from overopt.engines.method.loading import open_as
from overopt.engines.method.rollout import OpenedRollout
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import HiddenStates, StateShape, Training
from overopt.methods.rollout import ppo

CONFIG = ppo.Config(beta=0.5, gae_lambda=0.5, normalize=False)


def rollout(tokens: int = 2) -> Rollout:
    """One response of two tokens with log-ratios 0.2 and -0.4, values 1 and 2, reward 3."""
    mask_BNT = torch.zeros(1, 1, tokens)
    mask_BNT[..., :2] = 1.0
    value_BNTC = torch.zeros(1, 1, tokens, 1)
    value_BNTC[0, 0, :2, 0] = torch.tensor([1.0, 2.0])
    sampled_BNT, reference_BNT = torch.zeros(1, 1, tokens), torch.zeros(1, 1, tokens)
    sampled_BNT[..., :2] = torch.tensor([-1.0, -2.0])
    reference_BNT[..., :2] = torch.tensor([-1.2, -1.6])
    sampled = Reading(sampled_BNT, reference_BNT, mask_BNT, output=value_BNTC)
    return Rollout(torch.tensor([[3.0]]), sampled)


def step(seen: Rollout) -> RolloutStep:
    """The first token 1.5 times as likely as when sampled, the second half as likely."""
    now_BNT = seen.sampled.policy_logp.clone()
    now_BNT[..., :2] += torch.tensor([math.log(1.5), math.log(0.5)])
    value_BNTC = torch.zeros(1, 1, now_BNT.shape[-1], 1)
    value_BNTC[0, 0, :2, 0] = torch.tensor([1.1, 2.5])
    now = seen.sampled._replace(policy_logp=now_BNT, output=value_BNTC)
    return RolloutStep(seen, now, ppo.advantages(CONFIG, seen))


@pytest.mark.parametrize("tokens", [2, 3])
def test_advantages_by_hand(tokens: int) -> None:
    # token rewards -0.1 and 3.2; delta = -0.1 + 2 - 1 = 0.9 and 1.2; A_1 = 0.9 + 0.5 * 1.2
    advantage_BNT = ppo.advantages(CONFIG, rollout(tokens))
    assert advantage_BNT[0, 0, :2].tolist() == pytest.approx([1.5, 1.2])
    assert not advantage_BNT[..., 2:].any()


@pytest.mark.parametrize("tokens", [2, 3])
def test_loss_by_hand(tokens: int) -> None:
    # policy: max(-2.25, -1.8) and max(-0.6, -0.96); returns 2.5 and 3.2, clipped values 1.1 and
    # 2.2: errors 1.96 and 1, times 0.1 / 2; the mean of two tokens
    loss_BN = ppo.loss(CONFIG, step(rollout(tokens)))
    assert loss_BN.tolist() == [[pytest.approx((-1.8 - 0.6 + 0.05 * 2.96) / 2)]]


def test_normalized_advantages_by_hand() -> None:
    # 1.5 and 1.2 become 1 and -1: max(-1.5, -1.2) + max(0.5, 0.8)
    config = ppo.Config(beta=0.5, gae_lambda=0.5, value_weight=0.0)
    assert ppo.loss(config, step(rollout())).item() == pytest.approx(-0.2, abs=1e-5)


def test_mean_over_responses_is_the_mean_over_tokens() -> None:
    mask_BNT = torch.tensor([[[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]])
    zero_BNT = torch.zeros(1, 2, 3)
    read = Reading(zero_BNT, zero_BNT, mask_BNT, output=zero_BNT.unsqueeze(-1))
    seen = Rollout(torch.zeros(1, 2), read)
    advantage_BNT = torch.tensor([[[4.0, 0.0, 0.0], [1.0, 2.0, 3.0]]])
    now = RolloutStep(seen, read, advantage_BNT)
    config = ppo.Config(normalize=False, value_weight=0.0)
    assert ppo.loss(config, now).mean().item() == pytest.approx(-(4 + 1 + 2 + 3) / 4)


def test_value_head_starts_at_zero_and_spares_the_policy() -> None:
    head = ppo.make_module(ppo.Config(), StateShape(layers=3, width=4))
    before_RTLD = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    before_RTLD.requires_grad_()
    value_RTC = head(HiddenStates(before_RTLD, before_RTLD))
    assert value_RTC.shape == (2, 5, 1)
    assert not value_RTC.any()
    value_RTC.sum().backward()
    assert before_RTLD.grad is None
    (weight, bias) = head.parameters()
    assert weight.grad is not None and bias.grad is not None
    assert weight.grad.tolist() == pytest.approx(before_RTLD[:, :, -1].sum((0, 1)).tolist())
    assert bias.grad.item() == 10.0


def test_values_that_were_not_computed_are_named() -> None:
    seen = rollout()
    with pytest.raises(ValueError, match="policy_states was not computed"):
        ppo.advantages(CONFIG, seen._replace(sampled=seen.sampled._replace(output=None)))


def test_inner_epochs_are_the_configs() -> None:
    found = ppo.training(ppo.Config(epochs=3, minibatches=2, value_rate=7.0))
    assert found == Training(epochs=3, minibatches=2, module_rate=7.0)


def test_rewards_are_normalized_by_all_so_far_and_then_clipped() -> None:
    """1, 2, 4: mean 7/3, SD 1.5275; then 0, 3 too: mean 2, SD 1.5811. Clipped at .8: -.8, .8."""
    config = ppo.Config(normalize_reward=True, gae_lambda=1.0)
    clipped = ppo.Config(normalize_reward=True, gae_lambda=1.0, reward_clip=0.8)
    memory = ppo.begin(config, {})
    for reward, expected in (
        ([1.0, 2.0, 4.0], [-0.8729, -0.2182, 1.0911]),
        ([0.0, 3.0], [-1.2649, 0.6325]),
    ):
        one_BNT = torch.ones(1, len(reward), 1)
        read = Reading(one_BNT, one_BNT, one_BNT, output=torch.zeros(1, len(reward), 1, 1))
        seen = Rollout(torch.tensor([reward]), read)
        memory = ppo.observe(config, memory, seen)
        seen = seen._replace(memory=memory)
        # of one token and a value of 0, the advantage is the reward
        assert ppo.advantages(config, seen).flatten().tolist() == pytest.approx(expected, abs=5e-5)
        held = [min(max(value, -0.8), 0.8) for value in expected]
        assert ppo.advantages(clipped, seen).flatten().tolist() == pytest.approx(held, abs=5e-5)


def test_a_reward_may_be_clipped_alone() -> None:
    # token rewards -.1 and 2.2 instead of 3.2: A_2 = .2, A_1 = .9 + .5 * .2
    config = ppo.Config(beta=0.5, gae_lambda=0.5, reward_clip=2.0)
    assert ppo.advantages(config, rollout())[0, 0].tolist() == pytest.approx([1.0, 0.2])


@pytest.mark.parametrize(("rollouts", "learns"), [(1, False), (2, False), (3, True)])
def test_in_first_rollouts_only_the_value_head_learns(rollouts: int, learns: bool) -> None:
    """The value's slopes are .1 (V - R)/2: of 1.1 - 2.5, and 0 where the clipped one is worse."""
    config = ppo.Config(beta=0.5, gae_lambda=0.5, normalize=False, critic_rollouts=2)
    seen = rollout()._replace(memory=ppo.Memory(rollouts=rollouts))
    taken = step(seen)
    output = taken.now.output
    assert output is not None
    logp_BNT, value_BNTC = taken.now.policy_logp.requires_grad_(), output.requires_grad_()
    loss = ppo.loss(config, taken).mean()
    policy_BNT, head_BNTC = torch.autograd.grad(loss, [logp_BNT, value_BNTC])
    assert bool(policy_BNT.any()) == learns
    assert head_BNTC.flatten().tolist() == pytest.approx([-0.07, 0.0])


def test_without_options_it_observes_nothing() -> None:
    """So that any engine trains it, and its specification is that of runs before there were any."""
    plain = systems.method("ppo", {})
    normalizing = systems.method("ppo", {"normalize_reward": True})
    assert plain.native_only == () and not {"reward_clip", "critic_rollouts"} & plain.config.keys()
    assert normalizing.native_only == ("observe",)
    for spec in (plain, normalizing, systems.method("ppo", {"critic_rollouts": 3})):
        opened = open_as(OpenedRollout, spec)
        assert opened.native_only == spec.native_only
        rollouts = opened.observe(opened.begin({}), rollout()).rollouts
        assert rollouts == len(spec.native_only)
