"""What every engine is given: an engine is a module with ``optimize(method, settings, inputs)``.

method: ``MethodSpec`` of the engine's family, which the engine opens.
settings: JSON of the family's training settings, which the engine validates.
inputs: ``RunInputs``, the same for all.
It returns a ``trajectory.Trajectory``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.execution.contract import Progress
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens


class Reward(Protocol):
    """A proxy as an engine sees it."""

    def __call__(self, prompts: Tokens, responses: Tokens, /) -> npt.NDArray[np.float64]:
        """Reward of each response to its prompt, shape (N,), in SDs of the initial policy."""
        ...


class MemberRewards(Protocol):
    """The members of a proxy as an engine sees them."""

    def __call__(self, prompts: Tokens, responses: Tokens, /) -> npt.NDArray[np.float64]:
        """Score of each of K members for each response, shape (K, N), in SDs of the initial policy.

        They are not combined.
        """
        ...


class Preference(Protocol):
    """A proxy that compares responses, as an engine sees it."""

    def __call__(
        self, prompts: Tokens, first: Tokens, second: Tokens, /
    ) -> npt.NDArray[np.float64]:
        """Probability (N,) that the first response to each prompt is preferred to the second."""
        ...


class StepRewards(Protocol):
    """A proxy that scores steps, as an engine sees it."""

    def __call__(
        self, prompts: Tokens, responses: Tokens, /
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Score of each step at its last token, (N, T), log-odds; and where steps end, (N, T)."""
        ...


class StepEnds(Protocol):
    """A world whose responses are made of steps, as an engine sees it."""

    def __call__(self, responses: Tokens, /) -> npt.NDArray[np.bool_]:
        """True at the last token of each step, (N, T), from the tokens alone."""
        ...


class Refitter(Protocol):
    """A proxy that follows the policy, as an engine sees it."""

    def __call__(self, prompts: Tokens, responses: Tokens, /) -> None:
        """Told the samples of every rollout once all steps on it were taken; may train."""
        ...


class Probe(Protocol):
    """KL(policy || reference) in nats per response, estimated on samples of the policy."""

    def __call__(self, policy: PreTrainedModel, reference: PreTrainedModel, /) -> float:
        """The estimate for the policy as it is."""
        ...

    def of_weights(self, reference: PreTrainedModel, /) -> Callable[[Mapping[str, Tensor]], float]:
        """The estimate for weights that the policy had, on a copy of the initial policy."""
        ...


class Randomness(NamedTuple):
    """A run's source of random numbers, for either library; an engine draws from one of them.

    Trees that are searched during training draw tokens from torch's and break ties by numpy's.
    """

    numpy: np.random.Generator
    torch: torch.Generator


@dataclass(frozen=True)
class RunInputs:
    """What a run is given beside its method and its settings.

    policy: trained in place; it starts as the initial policy and has no dropout.
    reference: the initial policy.
    prompts: training prompts.
    preferences: preference data; None where the family does not learn from any.
    reward: the proxy; None where the family does not sample.
    max_new_tokens: limit of a response's length.
    budgets_nats: KL budgets, rising; empty for a run of exactly ``max_steps``.
    randomness: of the order of the data and of all sampling.
    kl_probe: of steps on which no samples are drawn.
    progress: told the fraction done.
    member_rewards: of the proxy; None where nothing is to ask for them.
    step_rewards: of a proxy that scores steps; None where nothing is to ask for them.
    demonstrations: a reference text for each training prompt; None where nothing asks for them.
    second: a second initial policy; None where the method does not ask for one.
    refit: of a proxy that is trained again during the run; None of one that stays.
    preference: of a proxy that compares responses; None where it scores each on its own.
    step_ends: of a world of steps; None where nothing is to ask for them.
    gold: of a method that observes it, and declares that use; None for all others.
    separator: the token that ends a prompt; None where texts are tokenized by the policy's own.
    """

    policy: PreTrainedModel
    reference: PreTrainedModel
    prompts: Tokens
    preferences: Preferences | None
    reward: Reward | None
    max_new_tokens: int
    budgets_nats: Sequence[float]
    randomness: Randomness
    kl_probe: Probe
    progress: Progress
    member_rewards: MemberRewards | None = None
    step_rewards: StepRewards | None = None
    demonstrations: Tokens | None = None
    second: PreTrainedModel | None = None
    separator: int | None = None
    preference: Preference | None = None
    refit: Refitter | None = None
    step_ends: StepEnds | None = None
    gold: Reward | None = None


Given = TypeVar("Given")


def required(given: Given | None, name: str) -> Given:
    """An input that a family cannot do without.

    Raises:
        ValueError: it was not given.
    """
    if given is None:
        raise ValueError(f"a run of this family needs {name}")
    return given
