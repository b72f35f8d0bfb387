"""Opens a trained proxy that scores steps, and reads labels of steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedModel

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import Table, read_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.steps import OpenedSteps
from overopt.models.rewards.reward import load_reward
from overopt.models.rewards.step_scores import score_tokens
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World
from overopt.worlds.steps import stepwise
from overopt.worlds.tokens import Tokens


class StepReader:
    """Scores responses by their steps, in the reward model's own units.

    Args:
        world: says where steps end.
        system: JSON of the system's specification, which reduces the steps to one score.
        inputs: the stage's inputs, among them the user's own file where it is one.
    """

    def __init__(
        self, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
    ) -> None:
        spec = ProxySystemSpec.model_validate(system)
        self._world = stepwise(world)
        self._system = open_as(OpenedSteps, locate_own(spec, inputs))

    def score(
        self, model: PreTrainedModel, prompts: Tokens, responses: Tokens
    ) -> npt.NDArray[np.float64]:
        """Raw score (N,) of each response."""
        return self._system.reduce(*self.steps(model, prompts, responses))

    def steps(
        self, model: PreTrainedModel, prompts: Tokens, responses: Tokens
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Log-odds (N, T) that the step which a token ends is right, and the tokens that end one.

        What stands elsewhere means nothing.
        """
        return score_tokens(model, prompts, responses), self._world.step_ends(responses)


class StepMember:
    """A trained proxy of steps whose scores are recentered and scaled under the initial policy."""

    def __init__(
        self, folder: Path, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
    ) -> None:
        self._model = load_reward(folder / "model")
        self._reader = StepReader(world, system, inputs)
        scale = read_json(folder / "normalization.json")
        self._mean, self._sd = float(scale["mean"]), float(scale["sd"])

    def score(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        return (self._reader.score(self._model, prompts, responses) - self._mean) / self._sd

    def steps(
        self, prompts: Tokens, responses: Tokens
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Score of each step as the reward model gives it; see ``StepReader.steps``."""
        return self._reader.steps(self._model, prompts, responses)


def open_member(
    folder: Path, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
) -> StepMember:
    """A trained proxy of steps of a system, by the JSON of its specification."""
    return StepMember(folder, world, system, inputs)


class LabeledSteps(NamedTuple):
    """N responses with labels of their steps: where they end, and which are labeled right."""

    prompts: Tokens
    responses: Tokens
    end_NT: npt.NDArray[np.bool_]
    correct_NT: npt.NDArray[np.bool_]


def load_steps(folder: Path, world: World, name: str = "steps") -> LabeledSteps:
    """The labels of a ``step_labels`` artifact (``steps``), or the noiseless ``heldout`` ones."""
    table = Table(folder / f"{name}.parquet")
    responses = table.tokens("response")
    end_NT = stepwise(world).step_ends(responses)
    correct_NT = np.zeros(end_NT.shape, dtype=np.bool_)
    correct_NT[end_NT] = table.tokens("steps").flat().astype(np.bool_)
    prompts = world.train_prompts.take(table.integers("prompt_id"))
    return LabeledSteps(prompts, responses, end_NT, correct_NT)
