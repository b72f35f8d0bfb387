"""Rewards of texts that are not ours: a ready classifier, or a function of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.execution.code.modules import anything, load, load_module
from overopt.models.reading import Texts
from overopt.spec.origins import ReaderOrigin
from overopt.worlds.contract import Gold
from overopt.worlds.hub.conversations import flat_text
from overopt.worlds.tokens import Tokens

TextReward = Callable[[list[str], list[str]], Sequence[float]]
"""Prompts and a response to each -> the reward of each response."""

_CLASSIFIER = ("artifacts.golds", "classifier")
"""Loaded by name; a node whose stage opens one names it."""

OWN_NAMES = ("gold", "reward", "proxy")
"""What the function of a user's own file may be called; the role's own name comes first."""


class OwnReward:
    """A function of texts as a reward of tokens.

    Args:
        function: rewards of prompts and responses.
        world: what the tokens say.
        role: what error messages call it.
    """

    def __init__(self, function: TextReward, world: Texts, role: str) -> None:
        self._function, self._world, self._role = function, world, role

    def __call__(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Reward (N,) of each response; what is not N finite numbers is the user's mistake."""
        turns = self._world.conversations(prompts)
        texts = self._world.decode(responses)
        with anything():
            found = self._function([flat_text(one) for one in turns], texts)
        try:
            reward_N = np.array([float(one) for one in found], np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"The {self._role} function must return a list of numbers, one per response, and "
                f"returned something else ({str(error)[:80]}); correct it."
            ) from error
        if reward_N.shape != (len(texts),) or not np.isfinite(reward_N).all():
            missing = int((~np.isfinite(reward_N)).sum())
            raise UserError(
                f"The {self._role} function returned {reward_N.size} numbers for {len(texts)} "
                f"responses, {missing} of them not finite; it must return a finite number for each."
            )
        return reward_N


def open_own(path: str, world: Texts, role: str) -> Gold:
    """The reward of a user's own file, which is trusted and run.

    Raises:
        UserError: if the file has no function of the right name.
    """
    with anything():
        module = load_module(path)
    for name in dict.fromkeys((role, *OWN_NAMES)):
        function = getattr(module, name, None)
        if callable(function):
            return OwnReward(function, world, role)
    raise UserError(
        f"{path} has no function {role}(prompts, responses) that returns a list of numbers; "
        "define it."
    )


def open_classifier(origin: ReaderOrigin, world: Texts, role: str) -> Gold:
    """The reward of a classifier's folder or pinned revision; its reader is loaded by name."""
    reward: Gold = load(*_CLASSIFIER).ClassifierGold(origin, world, role)
    return reward
