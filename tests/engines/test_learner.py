"""What engines do for a method beside its loss: own modules, states, forward KL, hooks, anchors."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from overopt.engines.forward import Forward, state_shape
from overopt.engines.learner import Learner
from overopt.engines.method.training import OpenedTraining
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import AfterStep, HiddenStates, StateShape, Training, Weights
from overopt.methods.pairs import dpo
from overopt.models.logprobs import predict_logps, response_logps
from overopt.models.sampling import sample
from overopt.models.sequences import Batch, align, join
from overopt.models.weights import weights_of

from . import tiny


class FirstWeights(nn.Module):
    """A linear map of the token's state in the first layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight_D = nn.Parameter(torch.ones(width))

    def forward(self, states: HiddenStates) -> Tensor:
        return (states.after_RTLD[:, :, 0] @ self.weight_D).unsqueeze(-1)


def make_module(config: Any, shape: StateShape) -> nn.Module:
    return FirstWeights(shape.width)


def method(**parts: Any) -> Any:
    return types.SimpleNamespace(__name__="overopt.methods.watched", **parts)


def learner(**parts: Any) -> Learner:
    reference = tiny.policy()
    opened = OpenedTraining(method(**parts), dpo.Config())
    return Learner(opened, tiny.PAIRS, tiny.policy(1), reference)


def joined(rows: int = 5) -> Batch:
    asked = tiny.prompts(rows)
    drawn = sample(tiny.policy(), asked, 1, tiny.MAX_NEW_TOKENS, torch.Generator().manual_seed(2))
    return join(asked, drawn.responses)


def run(asking: Learner, batch: Batch, reads_reference: bool = False) -> Forward:
    """The policy's pass over rows of which nothing is known before."""
    zero_RT = torch.zeros(batch.mask_BT.shape)
    reference = asking.run_reference(batch) if reads_reference else None
    return asking.run(batch, Reading(zero_RT, zero_RT, batch.mask_BT.float()), reference)


def test_a_plain_method_costs_nothing_more() -> None:
    plain, batch = learner(), joined()
    reading, prediction = run(plain, batch)
    assert not plain.reads_reference
    assert reading.forward_kl is None and reading.output is None
    assert prediction.states_LBJD is None
    assert torch.equal(reading.policy_logp, response_logps(plain.policy, batch))
    assert not reading.reference_logp.any()  # what does not depend on the policy stays
    assert plain.training == Training()


def test_collision_logp_is_the_chance_of_drawing_the_same_token_twice() -> None:
    asking, batch = learner(INPUTS=("collision_logp",)), joined()
    reading, prediction = run(asking, batch)
    assert not asking.reads_reference
    found_RT = reading.collision_logp
    assert found_RT is not None and not found_RT.requires_grad
    chance_RK = prediction.logp_BKV.detach().double().exp().square().sum(-1)
    assert torch.allclose(found_RT.double(), align(chance_RK.log(), batch), atol=1e-6)
    assert not found_RT[batch.mask_BT == 0].any()


def test_forward_kl_is_summed_over_the_vocabulary_token_by_token() -> None:
    asking = learner(INPUTS=("forward_kl",))
    batch = joined()
    forward_kl_RT = run(asking, batch, reads_reference=True).reading.forward_kl
    assert forward_kl_RT is not None and forward_kl_RT.requires_grad
    with torch.no_grad():
        reference_RKV, policy_RKV = (
            predict_logps(model, batch) for model in (asking.reference, asking.policy)
        )
    offset = int(batch.prompt_length_B[0]) - batch.prompt_length_min
    p_V, q_V = reference_RKV[0, offset], policy_RKV[0, offset]  # PAD, the first, has p = 0
    first = (p_V[1:].exp() * (p_V[1:] - q_V[1:])).sum()
    assert forward_kl_RT[0, 0].item() == pytest.approx(first.item(), abs=1e-6)
    assert not forward_kl_RT[~batch.mask_BT].any()
    assert (forward_kl_RT[batch.mask_BT] > 0).all()


@pytest.mark.parametrize("source", ["policy_states", "reference_states"])
def test_a_module_reads_the_states_that_it_names(source: str) -> None:
    asking = learner(INPUTS=(source,), make_module=make_module)
    batch = joined()
    output_RTC = run(asking, batch, reads_reference=True).reading.output
    assert output_RTC is not None
    model = asking.policy if source == "policy_states" else asking.reference
    with torch.no_grad():
        states = model(
            input_ids=batch.ids_BL, attention_mask=batch.attention_BL, output_hidden_states=True
        ).hidden_states
    for row in range(5):
        start, length = int(batch.prompt_length_B[row]), int(batch.mask_BT[row].sum())
        expected_T = states[0][row, start : start + length].sum(-1)
        assert torch.allclose(output_RTC[row, :length, 0], expected_T, atol=1e-5)
        assert not output_RTC[row, length:].any()


def test_the_state_before_a_token_is_the_one_after_the_token_before() -> None:
    seen: list[HiddenStates] = []

    class Watching(FirstWeights):
        def forward(self, states: HiddenStates) -> Tensor:
            seen.append(states)
            return super().forward(states)

    asking = learner(
        INPUTS=("policy_states",), make_module=lambda config, shape: Watching(shape.width)
    )
    batch = joined()
    run(asking, batch)
    (states,) = seen
    shape = state_shape(asking.policy)
    assert shape == (2, 16)
    assert states.before_RTLD.shape == (*batch.mask_BT.shape, *shape)
    both_RT = batch.mask_BT[:, 1:]
    assert torch.equal(states.before_RTLD[:, 1:][both_RT], states.after_RTLD[:, :-1][both_RT])


def test_the_module_is_trained_at_its_own_rate() -> None:
    asking = learner(
        INPUTS=("policy_states",),
        make_module=make_module,
        training=lambda config: Training(module_rate=100.0),
    )
    module = asking.module
    assert isinstance(module, FirstWeights)
    before = module.weight_D.detach().clone()
    reading = run(asking, joined()).reading
    assert reading.output is not None
    asking.step(reading.output.sum() - reading.policy_logp.sum())
    # Adam's first step is the learning rate, here a fifth of 3e-3 in warm-up, times 100
    step_D = (module.weight_D.detach() - before).abs()
    assert step_D.tolist() == pytest.approx([0.06] * 16, rel=1e-3)


def halved(weights: Weights) -> dict[str, Tensor]:
    return {name: value / 2 for name, value in weights.items()}


def step(asking: Learner) -> None:
    asking.step(-run(asking, joined()).reading.policy_logp.sum())


def test_hooks_see_every_step_and_may_replace_the_weights() -> None:
    calls: list[tuple[int, int]] = []

    def after_step(config: Any, memory: int, weights: Weights, step: int) -> AfterStep:
        calls.append((memory, step))
        return AfterStep(memory + 1, weights=halved(weights) if step == 2 else None)

    hooked = learner(begin=lambda config, initial: 10, after_step=after_step)
    plain = learner()
    for _ in range(2):
        step(hooked)
        step(plain)
    assert calls == [(10, 1), (11, 2)]
    expected = halved(weights_of(plain.policy))
    for name, value in weights_of(hooked.policy).items():
        assert torch.equal(value, expected[name]), name
    assert hooked.anchor is None


@pytest.mark.parametrize("hook", ["after_step", "before_steps", "after_round"])
def test_what_a_hook_keeps_stays_as_it_was(hook: str) -> None:
    """The policy is changed in place after every call; each memory is of its own time."""

    def keep(config: Any, memory: tuple[Weights, ...], weights: Weights, at: int) -> AfterStep:
        return AfterStep((*memory, weights), anchor=memory[-1])

    hooked = learner(begin=lambda config, initial: (initial,), **{hook: keep})
    calls: dict[str, Callable[[], None]] = {
        "after_step": lambda: step(hooked),
        "before_steps": hooked.begin_steps,
        "after_round": hooked.end_round,
    }
    expected = [weights_of(hooked.reference)]
    for _ in range(3):
        calls[hook]()
        expected.append({name: v.clone() for name, v in weights_of(hooked.policy).items()})
        assert hooked.anchor is not None
        same(weights_of(hooked.anchor), expected[-2])
        with torch.no_grad():
            for value in hooked.policy.parameters():
                value.add_(1.0)
    assert not torch.equal(*(next(iter(weights.values())) for weights in expected[-2:]))
    for kept, weights in zip(hooked.observe(None), expected, strict=True):
        same(kept, weights)


def same(first: Weights, second: Weights) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_the_optimizer_remembers_across_a_replacement() -> None:
    def after_step(config: Any, memory: Weights, weights: Weights, step: int) -> AfterStep:
        return AfterStep(memory, weights=memory)

    def begin(config: Any, initial: Weights) -> Weights:
        return {name: value.clone() for name, value in weights_of(tiny.policy(1)).items()}

    reset = learner(begin=begin, after_step=after_step)
    step(reset)
    moments = [state["step"].item() for state in reset.optimizer._stepper.optimizer.state.values()]
    step(reset)
    again = [state["step"].item() for state in reset.optimizer._stepper.optimizer.state.values()]
    assert set(moments) == {1.0} and set(again) == {2.0}
    for name, value in weights_of(tiny.policy(1)).items():
        assert torch.equal(value, weights_of(reset.policy)[name]), name


def test_an_anchor_is_a_model_of_its_own() -> None:
    def after_step(config: Any, memory: Weights, weights: Weights, step: int) -> AfterStep:
        return AfterStep(memory, anchor=halved(weights))

    hooked = learner(begin=lambda config, initial: initial, after_step=after_step)
    before = {name: value.clone() for name, value in weights_of(hooked.reference).items()}
    step(hooked)
    assert hooked.anchor is not None
    for name, value in weights_of(hooked.anchor).items():
        assert torch.equal(value, weights_of(hooked.policy)[name] / 2), name
        assert torch.equal(before[name], weights_of(hooked.reference)[name]), name
