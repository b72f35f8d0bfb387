import math

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Training
from overopt.methods.rollout import elastic_reset

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


def test_between_resets_its_loss_is_ppos_by_hand() -> None:
    """One response of two tokens: log-ratios .2 and -.4, values 1 and 2, reward 3, beta .5.

    Token rewards -.1 and 3.2, so that delta = -.1 + 2 - 1 = .9 and 1.2, and at lambda .5 A = 1.5,
    1.2, which is 1, -1 when normalized. The first token is 1.5 times as likely now, the second half
    as likely: max(-1.5, -1.2), max(.5, .8). Returns are 2.5 and 3.2, values clipped at .2 1.1 and
    2.2, errors 1.96 and 1, times .1/2; the mean of two tokens.
    """
    config = elastic_reset.Config(beta=0.5, gae_lambda=0.5)

    def read(logp: list[float], value: list[float]) -> Reading:
        reference_BNT = torch.tensor([[[-1.2, -1.6]]])
        output_BNTC = torch.tensor(value).view(1, 1, 2, 1)
        return Reading(
            torch.tensor([[logp]]), reference_BNT, torch.ones(1, 1, 2), output=output_BNTC
        )

    seen = Rollout(torch.tensor([[3.0]]), read([-1.0, -2.0], [1.0, 2.0]))
    advantage_BNT = elastic_reset.advantages(config, seen)
    assert advantage_BNT.flatten().tolist() == pytest.approx([1.5, 1.2])
    now = read([-1.0 + math.log(1.5), -2.0 + math.log(0.5)], [1.1, 2.5])
    loss_BN = elastic_reset.loss(config, RolloutStep(seen, now, advantage_BNT))
    assert loss_BN.item() == pytest.approx((-1.2 + 0.8 + 0.05 * 2.96) / 2, abs=1e-5)
    found = elastic_reset.training(elastic_reset.Config(epochs=3, value_rate=7.0))
    assert found == Training(epochs=3, minibatches=1, module_rate=7.0)
