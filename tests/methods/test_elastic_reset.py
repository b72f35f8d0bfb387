import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep
from overopt.methods.rollout import elastic_reset, ppo

CONFIG = elastic_reset.Config(reset_steps=2, decay=0.9)


def walk(values: list[float]) -> list[AfterStep]:
    """The hooks' decisions while a policy of one weight, 0 at first, takes these values."""
    memory = elastic_reset.begin(CONFIG, {"w": torch.tensor(0.0)})
    done = []
    for step, value in enumerate(values, start=1):
        done.append(elastic_reset.after_step(CONFIG, memory, {"w": torch.tensor(value)}, step))
        memory = done[-1].memory
    return done


def test_average_and_reset_by_hand() -> None:
    first, second, third, fourth = walk([1.0, 2.0, 5.0, 1.0])
    # 0.1; 0.09 + 0.2 = 0.29, which the policy becomes; then again from 0: 0.5; 0.45 + 0.1 = 0.55
    assert first.weights is None
    assert first.memory.average["w"].item() == pytest.approx(0.1)
    assert second.weights is not None and second.weights["w"].item() == pytest.approx(0.29)
    assert second.memory.average["w"].item() == 0.0
    assert third.weights is None
    assert third.memory.average["w"].item() == pytest.approx(0.5)
    assert fourth.weights is not None and fourth.weights["w"].item() == pytest.approx(0.55)
    assert all(done.anchor is None for done in (first, second, third, fourth))


def test_the_initial_weights_are_never_changed() -> None:
    initial = {"w": torch.tensor([1.0, 2.0])}
    memory = elastic_reset.begin(CONFIG, initial)
    for step in range(1, 5):
        memory = elastic_reset.after_step(CONFIG, memory, {"w": torch.ones(2) * step}, step).memory
    assert initial["w"].tolist() == [1.0, 2.0]
    assert memory.average["w"].tolist() == [1.0, 2.0]  # step 4 is a reset


def test_between_resets_it_is_ppo() -> None:
    generator = torch.Generator().manual_seed(0)

    def draw() -> torch.Tensor:
        return torch.randn(2, 3, 4, generator=generator)

    mask_BNT = torch.ones(2, 3, 4)
    mask_BNT[0, 1, 2:] = 0.0
    old, now = draw().unsqueeze(-1), draw().unsqueeze(-1)
    read = Reading(-draw().abs(), -draw().abs(), mask_BNT, output=old)
    seen = Rollout(draw()[..., 0], read)
    mine, base = elastic_reset.Config(beta=0.2), ppo.Config(beta=0.2)
    advantage_BNT = elastic_reset.advantages(mine, seen)
    assert torch.equal(advantage_BNT, ppo.advantages(base, seen))
    step = RolloutStep(seen, read._replace(policy_logp=-draw().abs(), output=now), advantage_BNT)
    assert torch.equal(elastic_reset.loss(mine, step), ppo.loss(base, step))
    assert elastic_reset.training(mine) == ppo.training(base)
