"""What a method that trains may leave out or supply, resolved here and nowhere else."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from overopt.engines.method.opened import Functions_co, Named, Opened
from overopt.errors import UserError
from overopt.methods.contract.training import AfterStep, StateShape, Training, Weights
from overopt.spec.declare import COUNTED, NATIVE_FUNCTIONS, MethodInput

_STATES: frozenset[MethodInput] = frozenset({"policy_states", "reference_states"})


class OpenedTraining(Opened[Functions_co]):
    """A method whose policies are trained, whatever its family.

    inputs: what costs extra to compute and is asked for.
    training: inner epochs, minibatches, the learning rate of its own module.
    acts_on_weights: whether it has hooks between gradient steps or rounds.
    perturbs: whether it takes a second gradient.
    native_only: its functions that the engine trl does not call.

    Raises:
        UserError: it has a module but names no states for the module to read, or the reverse.
    """

    def __init__(self, functions: Functions_co, config: object) -> None:
        super().__init__(functions, config)
        self.inputs: frozenset[MethodInput] = frozenset(getattr(functions, "INPUTS", ()))
        self._make_module = self._optional("make_module")
        self._begin = self._optional("begin")
        self._after_step = self._optional("after_step")
        self._after_round = self._optional("after_round")
        self._before_steps = self._optional("before_steps")
        asking = getattr(functions, "OBSERVES_FOR", None)
        observes = asking is None or any(getattr(config, field) for field in asking)
        self._observe = self._optional("observe") if observes else None
        self._observe_gold = self._optional("observe_gold")
        self._observe_pairs = self._optional("observe_pairs")
        self._mixture = self._optional("mixture")
        self._temperature = self._optional("temperature")
        self._first_anchor = self._optional("first_anchor")
        self._perturb, self._correct = self._optional("perturb"), self._optional("correct")
        training = self._optional("training")
        self.training: Training = Training() if training is None else training(config)
        self.acts_on_weights = bool(self._after_step or self._after_round or self._before_steps)
        self.perturbs = self._perturb is not None
        self.native_only = tuple(
            name
            for name in NATIVE_FUNCTIONS
            if self._optional(name) is not None and (observes or name != "observe")
        )
        if (self._make_module is None) != _STATES.isdisjoint(self.inputs):
            raise UserError(
                f"{self.name}: make_module and INPUTS with policy_states or reference_states go "
                "together; declare both or neither."
            )

    def count(self, asked: MethodInput) -> int:
        """How many there are of an input that Config counts; 0 of one that is not asked for."""
        return int(getattr(self._config, COUNTED[asked])) if asked in self.inputs else 0

    def make_module(self, shape: StateShape) -> nn.Module | None:
        """The method's own module for a policy of this shape; None if it has none."""
        if self._make_module is None:
            return None
        module: nn.Module = self._make_module(self._config, shape)
        return module

    def begin(self, initial: Weights) -> Any:
        """The hooks' memory before the first step; None without hooks."""
        return None if self._begin is None else self._begin(self._config, initial)

    def after_step(self, memory: Any, weights: Weights, step: int) -> AfterStep:
        """What the hooks decide after gradient step ``step``; nothing without hooks."""
        if self._after_step is None:
            return AfterStep(memory)
        done: AfterStep = self._after_step(self._config, memory, weights, step)
        return done

    def after_round(self, memory: Any, weights: Weights, number: int) -> AfterStep:
        """What the hooks decide after the steps on rollout ``number``; nothing without hooks."""
        if self._after_round is None:
            return AfterStep(memory)
        done: AfterStep = self._after_round(self._config, memory, weights, number)
        return done

    def before_steps(self, memory: Any, weights: Weights, number: int) -> AfterStep:
        """What the hooks decide before the steps on rollout ``number``; nothing without hooks."""
        if self._before_steps is None:
            return AfterStep(memory)
        done: AfterStep = self._before_steps(self._config, memory, weights, number)
        return done

    def observe(self, memory: Any, rollout: object) -> Any:
        """What the method remembers once it has seen a ``Rollout``."""
        return memory if self._observe is None else self._observe(self._config, memory, rollout)

    @property
    def observes_gold(self) -> bool:
        """Whether it is handed gold."""
        return self._observe_gold is not None

    def observe_gold(self, memory: Any, gold_BN: Tensor) -> Any:
        """What the method remembers once it has seen a rollout's gold; only where it asks."""
        assert self._observe_gold is not None
        return self._observe_gold(self._config, memory, gold_BN)

    def observe_pairs(self, memory: Any, batch: object) -> Any:
        """What the method remembers once it has seen a ``PairBatch``."""
        if self._observe_pairs is None:
            return memory
        return self._observe_pairs(self._config, memory, batch)

    def mixture(self) -> float:
        """Weight of the initial policy in the mixture that opponents are drawn from."""
        return 0.0 if self._mixture is None else float(self._mixture(self._config))

    def temperature(self, memory: Any) -> float:
        """Temperature at which the next samples are drawn; 1 unless the method says otherwise.

        Raises:
            ValueError: it is not a number above 0.
        """
        if self._temperature is None:
            return 1.0
        chosen = float(self._temperature(self._config, memory))
        if not 0 < chosen < math.inf:
            raise ValueError(f"{self.name}: temperature returns {chosen}, not a number above 0")
        return chosen

    def first_anchor(self, initial: Weights, second: Weights) -> Weights:
        """The anchor before the first step; only of a method that asks for a second policy."""
        assert self._first_anchor is not None
        anchor: Weights = self._first_anchor(self._config, initial, second)
        return anchor

    def perturb(self, gradient: Weights) -> Weights:
        """Where the gradient is taken a second time, relative to the weights."""
        assert self._perturb is not None
        shift: Weights = self._perturb(self._config, gradient)
        return shift

    def correct(self, first: Weights, second: Weights) -> Weights:
        """The gradient that is descended; only of a method that perturbs."""
        assert self._correct is not None
        corrected: Weights = self._correct(self._config, first, second)
        return corrected

    def own_class(self, name: str) -> type | None:
        """A class that the method's file defines or imports, for a memory read from a file."""
        found = vars(self._functions).get(name)
        return found if isinstance(found, type) else None


TrainedMethod = OpenedTraining[Named]
"""A method whose policies are trained, of any family."""
