"""Tries a method or proxy of the user's own on made-up numbers, before a run spends time on it.

What is found wrong is told in one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overopt.engines.blame import blamed, check_finite, check_kind, open_blamed
from overopt.engines.method.iterative import OpenedIterative
from overopt.engines.method.merge import OpenedMerge
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.method.training import TrainedMethod
from overopt.engines.proxy.rehearsal import try_proxy
from overopt.engines.proxy.step_rehearsal import try_reduce
from overopt.engines.rehearsals.made_up import MadeUpNumbers
from overopt.engines.rehearsals.selection import (
    try_composition,
    try_particles,
    try_search,
    try_selection,
)
from overopt.engines.rehearsals.sizes import PROMPTS, TOKENS, USUAL, Sizes, weights
from overopt.errors import UserError
from overopt.execution.code.modules import load_module
from overopt.methods.contract.iterative import KeptRows, RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Training
from overopt.spec.declare import Family
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec


def rehearse(spec: MethodSpec | ProxySystemSpec, sizes: Sizes = USUAL) -> None:
    """Import a method or proxy and call its functions once.

    Args:
        spec: of the method or proxy.
        sizes: samples of each prompt; members, of methods that read every one's scores; terms of
            the gold rule, of proxies that learn from them.

    Raises:
        UserError: it raises an error, or returns something of another shape or not finite.
    """
    with blamed(spec.source, "importing it"):
        load_module(spec.source)
    if isinstance(spec, ProxySystemSpec):
        try_proxy(spec, sizes.terms)
        if spec.step_scores:
            try_reduce(spec)
        return
    for family in spec.families:
        if family == spec.family and spec.composes:
            try_composition(spec)
        elif family == spec.family and (spec.filters or spec.searches):
            (try_particles if spec.filters else try_search)(spec)
        else:
            _TRIALS[family](spec, sizes)


def _try_pairs(spec: MethodSpec, sizes: Sizes) -> None:
    """A loss of each of B pairs."""
    method = open_blamed(OpenedPairs, spec)
    numbers = _try_training(spec.source, method, sizes)
    batch = numbers.pairs()
    with blamed(spec.source, "begin"):
        memory = method.begin(weights(0))
    with torch.no_grad(), blamed(spec.source, "observe_pairs"):
        batch = batch._replace(memory=method.observe_pairs(memory, batch))
    _try_loss(spec.source, method.loss, batch, (PROMPTS,), "pair")


def _try_rollout(spec: MethodSpec, sizes: Sizes) -> None:
    """Advantages without gradient, then a loss of each of B x N responses."""
    source, method = spec.source, open_blamed(OpenedRollout, spec)
    numbers = _try_training(source, method, sizes)
    rollout = _observed(source, method, numbers)
    with torch.no_grad(), blamed(source, "advantages"):
        advantage = method.advantages(rollout)
    check_kind(source, "advantages", advantage, Tensor)
    samples = sizes.samples
    allowed = ((PROMPTS, samples), (PROMPTS, samples, TOKENS))
    if tuple(advantage.shape) not in allowed:
        raise UserError(
            f"{source}: advantages returns shape {tuple(advantage.shape)} for {PROMPTS} "
            f"prompts of {samples} samples of up to {TOKENS} tokens; it must be {allowed[0]}, "
            f"one per response, or {allowed[1]}, one per token."
        )
    check_finite(source, "advantages", advantage)
    step = numbers.step(rollout, advantage)
    _try_loss(source, method.loss, step, (PROMPTS, samples), "response")


def _try_iterative(spec: MethodSpec, sizes: Sizes) -> None:
    """Rows or pairs of rows out of B x N samples, then a loss of each."""
    source, method = spec.source, open_blamed(OpenedIterative, spec)
    numbers = _try_training(source, method, sizes)
    rollout = _observed(source, method, numbers)
    with blamed(source, "build"):
        built = method.build(rollout)
    check_kind(source, "build", built, (KeptRows, RowPairs))
    indices = (built.row_K,) if isinstance(built, KeptRows) else (built.chosen_P, built.rejected_P)
    beside = (one for one in (rollout.opponents, rollout.demonstrations) if one is not None)
    known = sum(one.reward_BN.numel() for one in (rollout, *beside))
    for index in indices:
        rows = torch.as_tensor(index)
        if rows.dim() != 1 or rows.is_floating_point():
            raise UserError(
                f"{source}: build returns rows of shape {tuple(rows.shape)} and type "
                f"{rows.dtype}; they are one list of whole numbers."
            )
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < known:
            raise UserError(
                f"{source}: build returns rows outside of 0 to {known - 1} for {PROMPTS} prompts "
                f"of {sizes.samples} samples, with what INPUTS names beside; sample n of prompt b "
                "is row b * N + n, and the rollout numbers opponents and demonstrations."
            )
    for field, number_K in built._asdict().items():
        if number_K is not None and number_K.shape != built[0].shape:
            raise UserError(
                f"{source}: build returns {field} of shape {tuple(number_K.shape)} for "
                f"{len(built[0])} rows; it is one number for each."
            )
        if number_K is not None:
            check_finite(source, "build", number_K)
    made_up_B = torch.linspace(0.25, 0.75, PROMPTS)
    if isinstance(built, KeptRows):
        weight_B = None if built.weight_K is None else made_up_B
        label_B = None if built.label_K is None else made_up_B
        kept = numbers.reading(PROMPTS)._replace(weight=weight_B, label=label_B)
        _try_loss(source, method.loss, kept, (PROMPTS,), "sample")
    else:
        label_B = None if built.label_P is None else made_up_B
        sides = (numbers.reading(PROMPTS)._replace(label=label_B) for _ in range(2))
        _try_loss(source, method.loss, SamplePairs(*sides), (PROMPTS,), "pair")


def _try_merge(spec: MethodSpec, _sizes: Sizes) -> None:
    """Weights of the same names and shapes as the initial ones."""
    method, initial = open_blamed(OpenedMerge, spec), weights(0)
    trained = [weights(1 + member) for member in range(spec.members)]
    knob = math.sqrt(spec.knob.low * spec.knob.high)
    with blamed(spec.source, "merge"):
        merged = method.merge(initial, trained, knob)
    _check_weights(spec.source, "merge", merged, initial)
    if spec.iterations > 1:
        with blamed(spec.source, "draw_back"):
            drawn = method.draw_back(initial, merged, knob)
        _check_weights(spec.source, "draw_back", drawn, initial)


_TRIALS: dict[Family, Callable[[MethodSpec, Sizes], None]] = {
    "pairs": _try_pairs,
    "rollout": _try_rollout,
    "iterative": _try_iterative,
    "selection": lambda spec, _sizes: try_selection(spec),
    "merge": _try_merge,
}


def _try_training(source: str, method: TrainedMethod, sizes: Sizes) -> MadeUpNumbers:
    """What a method that trains may supply; returns numbers for its family's functions."""
    check_kind(source, "training", method.training, Training)
    if method.acts_on_weights:
        initial = weights(0)
        with blamed(source, "begin"):
            memory = method.begin(initial)
        hooks = (method.before_steps, method.after_step, method.after_round)
        for name, hook in zip(("before_steps", "after_step", "after_round"), hooks, strict=True):
            with blamed(source, name):
                done = hook(memory, weights(1), 1)
            check_kind(source, name, done, AfterStep)
            memory = done.memory
            for replaced in (done.weights, done.anchor):
                if replaced is not None:
                    _check_weights(source, name, replaced, initial)
    if "second_initial" in method.inputs:
        with blamed(source, "first_anchor"):
            anchor = method.first_anchor(weights(0), weights(1))
        _check_weights(source, "first_anchor", anchor, weights(0))
    _try_second_gradient(source, method)
    return MadeUpNumbers(source, method, sizes)


def _try_second_gradient(source: str, method: TrainedMethod) -> None:
    """Weights of the policy's shapes, out of one gradient and then of two."""
    if not method.perturbs:
        return
    gradient = weights(0)
    with blamed(source, "perturb"):
        shift = method.perturb(gradient)
    _check_weights(source, "perturb", shift, gradient)
    with blamed(source, "correct"):
        corrected = method.correct(gradient, weights(1))
    _check_weights(source, "correct", corrected, gradient)


def _observed(source: str, method: TrainedMethod, numbers: MadeUpNumbers) -> Rollout:
    """A made-up rollout, with what the method remembers of it."""
    with blamed(source, "begin"):
        memory = method.begin(weights(0))
    rollout = numbers.rollout()
    if method.observes_gold:
        with blamed(source, "observe_gold"):
            memory = method.observe_gold(memory, numbers.rollout().reward_BN)
    with blamed(source, "observe"):
        memory = method.observe(memory, rollout)
    with blamed(source, "temperature"):
        method.temperature(memory)
    return rollout._replace(memory=memory)


def _check_weights(
    source: str, function: str, found: Mapping[str, Tensor], initial: Mapping[str, Tensor]
) -> None:
    check_kind(source, function, found, Mapping)
    shapes = {name: tuple(value.shape) for name, value in initial.items()}
    if {name: tuple(np.shape(value)) for name, value in found.items()} != shapes:
        raise UserError(
            f"{source}: {function} returns weights of other names or shapes than the "
            "initial policy's; return one tensor for each of its names."
        )
    for value in found.values():
        check_finite(source, function, value)


def _try_loss(
    source: str, function: Callable[[Any], Tensor], batch: Any, shape: tuple[int, ...], item: str
) -> None:
    with blamed(source, "loss"):
        loss = function(batch)
    check_kind(source, "loss", loss, Tensor)
    if tuple(loss.shape) != shape:
        what = f"{PROMPTS} {item}s" if len(shape) == 1 else f"{PROMPTS} x {shape[1]} {item}s"
        raise UserError(
            f"{source}: loss returns shape {tuple(loss.shape)} for {what} of up to "
            f"{TOKENS} tokens; it must be {shape}, one loss per {item}, not averaged."
        )
    check_finite(source, "loss", loss)
    if not loss.requires_grad:
        raise UserError(
            f"{source}: loss does not depend on the policy's log-probabilities, so that "
            "nothing is learned; compute it from them, without detach, item or numpy."
        )
    leaves = [value for value in _tensors(batch) if value.is_leaf and value.requires_grad]
    with blamed(source, "the gradient of loss"):
        slopes = torch.autograd.grad(loss.mean(), leaves, allow_unused=True)
    for slope in slopes:
        if slope is not None:
            check_finite(source, "the gradient of loss", slope)


def _tensors(batch: Any) -> Iterator[Tensor]:
    """All tensors of a batch, readings within it included."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, tuple):
        for part in batch:
            yield from _tensors(part)
