"""Exact KL and gold in a world whose responses can all be listed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedModel

from overopt.models.enumeration import enumerate_logps
from overopt.stats.kl import exact_kl_per_prompt
from overopt.worlds.contract import Gold, World


class Measured(NamedTuple):
    """A policy summed over every response: KL in nats and raw gold of each prompt."""

    kl_B: npt.NDArray[np.float64]
    gold_B: npt.NDArray[np.float64]


class Enumeration:
    """Exact KL and gold in a world whose responses can all be listed."""

    def __init__(self, world: World, reference: PreTrainedModel, gold: Gold) -> None:
        assert world.responses is not None
        self.prompts, self.responses = world.heldout_prompts, world.responses
        prompts, rows = self.prompts.rows(), self.responses.rows()
        self.reference_logp_BR = enumerate_logps(reference, self.prompts, self.responses)
        prompt_N = np.repeat(np.arange(prompts), rows)
        every = self.responses.take(np.tile(np.arange(rows), prompts))
        self.gold_BR = gold(self.prompts.take(prompt_N), every).reshape(prompts, rows)

    def measure(self, policy: PreTrainedModel) -> Measured:
        """KL(pi || pi_ref) in nats and expected raw gold of each held-out prompt.

        Raises:
            ValueError: the probabilities of all responses do not add up to 1.
        """
        logp_BR = enumerate_logps(policy, self.prompts, self.responses)
        return Measured(
            exact_kl_per_prompt(logp_BR, self.reference_logp_BR),
            (np.exp(logp_BR) * self.gold_BR).sum(1),
        )

    @property
    def start_gold_B(self) -> npt.NDArray[np.float64]:
        """Expected raw gold of the initial policy, of each held-out prompt."""
        gold_B: npt.NDArray[np.float64] = (np.exp(self.reference_logp_BR) * self.gold_BR).sum(1)
        return gold_B
