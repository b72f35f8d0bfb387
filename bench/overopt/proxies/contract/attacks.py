"""A system that is trained again on what a policy has found to fool it.

A file declares ATTACKER, the name of a method of the family rollout. It trains an adversarial
policy against two plain reward models of the same pairs, for the reward that ``attack`` makes of
their scores. Where ``pick`` says so, a response of that policy is added to the preference data as
the one that is worse than a response of the initial policy to the same prompt; members learn from
all of it. No one is asked whether it is worse.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract import ProxySystem

Floats = npt.NDArray[np.float64]


class Attacks(ProxySystem, Protocol):
    """A module that says what an adversary is after, and what of its responses is taken."""

    def attack(self, config: Any, score_MN: Floats, /) -> Floats:
        """Reward (N,) of the adversary, from the scores of both models, (2, N), in SDs."""
        ...

    def pick(self, config: Any, attack_MN: Floats, initial_MN: Floats, /) -> npt.NDArray[np.bool_]:
        """Which of N adversarial responses are added, (N,).

        Args:
            config: the system's settings.
            attack_MN: scores of both models of the adversarial responses.
            initial_MN: those of a response of the initial policy to the same prompts.
        """
        ...
