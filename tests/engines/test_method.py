"""A method opened: bound to its config, with what it leaves out filled in."""

from __future__ import annotations

import types
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from overopt.catalog import systems
from overopt.engines.contract import required
from overopt.engines.method.loading import open_as
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.method.selection import OpenedSelection
from overopt.engines.method.training import OpenedTraining
from overopt.engines.pairs import optimize_pairs
from overopt.engines.proxy import OpenedProxy
from overopt.errors import UserError
from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.selection import samples_of_reference
from overopt.methods.contract.training import AfterStep, StateShape, Training
from overopt.methods.merge import warp
from overopt.methods.pairs import dpo
from overopt.methods.rollout import ppo
from overopt.methods.selection import bon, itp

from . import tiny


def test_what_is_left_out_is_filled_in() -> None:
    plain = OpenedPairs(dpo, dpo.Config())
    assert (plain.name, plain.training, plain.inputs) == ("dpo", Training(), frozenset())
    assert not plain.acts_on_weights
    assert plain.make_module(StateShape(2, 4)) is None
    assert plain.begin({}) is None
    assert plain.after_step("kept", {}, 1) == AfterStep("kept")


def test_what_is_supplied_is_bound_to_the_config() -> None:
    critic = OpenedTraining(ppo, ppo.Config(epochs=3, minibatches=2, value_rate=7.0))
    assert critic.training == Training(3, 2, 7.0)
    assert critic.inputs == {"policy_states"}
    assert isinstance(critic.make_module(StateShape(2, 4)), torch.nn.Module)
    hooked = OpenedTraining(warp, warp.Config(mu=0.25))
    assert hooked.acts_on_weights
    memory = hooked.begin({"w": torch.tensor(0.0)})
    done = hooked.after_step(memory, {"w": torch.tensor(4.0)}, 1)
    assert done.anchor is not None and done.anchor["w"].item() == 1.0


@pytest.mark.parametrize("parts", [{"make_module": 1}, {"INPUTS": ("reference_states",)}])
def test_a_module_and_its_states_go_together(parts: dict[str, Any]) -> None:
    method: Any = types.SimpleNamespace(__name__="overopt.methods.half", **parts)
    with pytest.raises(UserError, match=r"^half: make_module and INPUTS"):
        OpenedTraining(method, None)


def test_a_loss_is_asked_without_a_config(tmp_path: Path) -> None:
    log_ratio_BT = torch.tensor([[2.0]])
    reading = Reading(log_ratio_BT, torch.zeros(1, 1), torch.ones(1, 1))
    batch = PairBatch(reading, reading._replace(policy_logp=torch.zeros(1, 1)))
    spec = systems.method("dpo", {"beta": 0.5})
    # -log sigmoid(0.5 * 2) by name, as a file of one's own, and as it is
    path = tmp_path / "mine.py"
    path.write_text(Path(str(dpo.__file__)).read_text(encoding="utf-8"), encoding="utf-8")
    own = spec.model_copy(update={"source": str(path)})
    asked = (
        open_as(OpenedPairs, spec),
        open_as(OpenedPairs, own),
        OpenedPairs(dpo, dpo.Config(0.5)),
    )
    for method in asked:
        assert method.loss(batch).item() == pytest.approx(0.3132617)
    assert open_as(OpenedPairs, own).name == "mine"


def test_a_selection_method_tells_what_it_knows() -> None:
    best = OpenedSelection(bon, bon.Config())
    assert best.knows_policy and best.is_unbiased
    assert best.kl_bound_nats(4.0) == pytest.approx(np.log(4) - 3 / 4)
    assert best.samples_used(100, 4.0) == 4
    pessimist = OpenedSelection(itp, itp.Config())
    assert pessimist.knows_policy and not pessimist.is_unbiased
    assert pessimist.kl_bound_nats(4.0) is None
    assert pessimist.draw_size(4.0) == 0
    weight_BN = pessimist.weights(samples_of_reference(np.array([[0.0, 1.0]])), 100.0)
    assert weight_BN.sum() == pytest.approx(1.0)


@dataclass(frozen=True)
class _Members:
    members: int


@pytest.mark.parametrize("answer", [np.array([1.0, np.nan]), np.array([1.0])])
def test_a_reward_is_one_finite_number_per_response(answer: Any) -> None:
    system: Any = types.SimpleNamespace(__name__="s", combine=lambda config, score_MN: answer)
    opened = OpenedProxy(system, _Members(3))
    assert opened.members == 3
    with pytest.raises(FloatingPointError, match="one finite number per response"):
        opened.combine(np.zeros((3, 2)))


def test_a_family_says_what_it_cannot_do_without() -> None:
    assert required(0, "anything") == 0
    inputs = replace(tiny.run_inputs(tiny.policy(), tiny.policy()), preferences=None)
    with pytest.raises(ValueError, match="a run of this family needs preference data"):
        optimize_pairs(OpenedPairs(dpo, dpo.Config()), tiny.PAIRS, inputs)
