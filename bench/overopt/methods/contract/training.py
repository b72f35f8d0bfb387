"""What a method that trains may supply or ask for: inner steps, an own module, hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

Weights = Mapping[str, Tensor]
"""Parameters of a policy by name, without gradient.

What a hook is handed is its own: it may be kept, and later steps do not change it. ``begin`` and
``first_anchor`` are handed the weights of initial policies, which stay as they are and are to be.
"""


Given = TypeVar("Given")


def given(value: Given | None, name: str) -> Given:
    """An optional tensor, or reading, that the method has asked for.

    Raises:
        ValueError: if the engine did not supply it, because the method does not ask for it.
    """
    if value is None:
        raise ValueError(f"{name} was not computed: the method has to name it in INPUTS")
    return value


class Training(NamedTuple):
    """How the engine takes its steps.

    epochs: passes over the samples of one rollout or round.
    minibatches: gradient steps in each of them; prompts are dealt out to them at random.
    module_rate: learning rate of the method's own module, relative to the policy's.
    opponents: samples of another policy that each prompt has at least, if INPUTS names one of which
        there are otherwise as many as of the policy itself.
    """

    epochs: int = 1
    minibatches: int = 1
    module_rate: float = 1.0
    opponents: int = 1


class StateShape(NamedTuple):
    """Hidden states of a model: embeddings and one per block, ``layers`` in all, each ``width``."""

    layers: int
    width: int


class HiddenStates(NamedTuple):
    """Hidden states of R responses, (R, T, L, D) each, last layer after the final norm.

    Both are 0 on padding.

    before_RTLD: at the position that predicts the token, which has seen what precedes it.
    after_RTLD: at the token's own position, which has seen the token too.
    """

    before_RTLD: Tensor
    after_RTLD: Tensor


class AfterStep(NamedTuple):
    """What a hook decides after a gradient step.

    memory: handed to the next call.
    weights: replace the policy's; the optimizer's moments and the own module stay. None: keep.
    anchor: replace the anchor's, the policy behind ``Reading.anchor_logp``. None: keep.
    """

    memory: Any
    weights: Weights | None = None
    anchor: Weights | None = None


class OwnModule(Protocol):
    """The optional function of a method with parameters of its own."""

    def make_module(self, config: Any, shape: StateShape, /) -> nn.Module:
        """A module from ``HiddenStates`` (R rows) to outputs (R, T, C).

        It reads the states that INPUTS names: the policy's or the reference's.
        """
        ...


class Memory(Protocol):
    """The optional function of a method that remembers, for any of the hooks below."""

    def begin(self, config: Any, initial: Weights, /) -> Any:
        """The memory before the first step, from the initial policy's weights."""
        ...


class StepHook(Protocol):
    """The optional function of a method that acts on weights between gradient steps."""

    def after_step(self, config: Any, memory: Any, weights: Weights, step: int, /) -> AfterStep:
        """What to remember and to replace after gradient step ``step`` (1 is the first)."""
        ...


class RoundHook(Protocol):
    """The optional function of a method that acts on weights between rollouts."""

    def after_round(self, config: Any, memory: Any, weights: Weights, number: int, /) -> AfterStep:
        """The same after all gradient steps on rollout ``number`` (1 is the first)."""
        ...


class StartHook(Protocol):
    """The optional function of an iterative method whose steps start from other weights.

    Samples keep what was said of them when they were drawn; only the steps on them start elsewhere.
    """

    def before_steps(self, config: Any, memory: Any, weights: Weights, number: int, /) -> AfterStep:
        """What to remember and to replace before the first gradient step on rollout ``number``."""
        ...


class Observer(Protocol):
    """The optional function of a method whose memory depends on rewards."""

    def observe(self, config: Any, memory: Any, rollout: Any, /) -> Any:
        """What to remember of a ``Rollout`` before anything is learned from it.

        The memory then is ``rollout.memory`` for ``advantages``, ``build`` and ``loss``.
        """
        ...


class GoldObserver(Protocol):
    """The optional function of a method whose memory follows gold; it has to declare that use."""

    def observe_gold(self, config: Any, memory: Any, gold_BN: Tensor, /) -> Any:
        """What to remember of a rollout's gold, in SDs of the initial policy, before ``observe``.

        Gold has no other way to a method that trains.
        """
        ...


class PairsObserver(Protocol):
    """The optional function of a method of the family pairs whose memory depends on the pairs."""

    def observe_pairs(self, config: Any, memory: Any, batch: Any, /) -> Any:
        """What to remember of a ``PairBatch`` before anything is learned from it.

        No gradient is kept of what is computed here.

        The memory then is ``batch.memory`` for ``loss``.
        """
        ...


class SecondGradient(Protocol):
    """The optional functions of a method that looks at the gradient somewhere else, too."""

    def perturb(self, config: Any, gradient: Weights, /) -> Weights:
        """What is added to the policy's weights to take the gradient a second time."""
        ...

    def correct(self, config: Any, first: Weights, second: Weights, /) -> Weights:
        """The gradient that is descended, out of that at the weights and that beside them."""
        ...


class SecondInitial(Protocol):
    """The optional function of a method whose anchor is made of two initial policies."""

    def first_anchor(self, config: Any, initial: Weights, second: Weights, /) -> Weights:
        """Weights of the anchor before the first step."""
        ...


class Tempers(Protocol):
    """The optional function of a method that says how its samples are drawn."""

    def temperature(self, config: Any, memory: Any, /) -> float:
        """Temperature, above 0, at which the policy draws its next samples.

        Log-probabilities, KL and measurements are those of the policy itself, at temperature 1; of
        a rollout, only what its samples were drawn with is not.

        Args:
            config: the method's settings.
            memory: what the hooks remember; None of a method without ``begin``.
        """
        ...


class Mixes(Protocol):
    """The optional function of a method whose opponents come from a mixture."""

    def mixture(self, config: Any, /) -> float:
        """Weight m of the initial policy in pi^(1 - m) pi_ref^m, token by token."""
        ...
