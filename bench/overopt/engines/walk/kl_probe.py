"""A cheap estimate of how far a policy has gone, for runs whose steps draw no samples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.models.logprobs import kl_statistics
from overopt.models.sampling import sample
from overopt.worlds.tokens import Tokens


class KLProbe:
    """Rao-Blackwellized KL(policy || reference), nats, on a few samples of a fixed set of prompts.

    Every call draws with the same random numbers, so that two nearby policies differ by what was
    learned between them and less by chance.

    Args:
        prompts: the fixed prompts; about 64 of them give the KL to some per cent.
        samples_per_prompt: responses drawn for each.
        max_new_tokens: limit of a response's length.
        seed: of the probe's random numbers.
    """

    def __init__(
        self, prompts: Tokens, samples_per_prompt: int, max_new_tokens: int, seed: int
    ) -> None:
        self._prompts = prompts
        self._samples_per_prompt = samples_per_prompt
        self._max_new_tokens = max_new_tokens
        self._seed = seed

    def of_weights(self, reference: PreTrainedModel) -> Callable[[Mapping[str, Tensor]], float]:
        """The same estimate for weights that the policy had, on a copy of the initial policy."""
        own: list[PreTrainedModel] = []

        def measure(state: Mapping[str, Tensor]) -> float:
            if not own:
                own.append(copy.deepcopy(reference))
            own[0].load_state_dict(dict(state))
            return self(own[0], reference)

        return measure

    def __call__(self, policy: PreTrainedModel, reference: PreTrainedModel) -> float:
        """KL(policy || reference) in nats per response."""
        generator = torch.Generator().manual_seed(self._seed)
        drawn = sample(
            policy,
            self._prompts,
            self._samples_per_prompt,
            self._max_new_tokens,
            generator,
            keep_every=True,
        )
        reference.to(policy.device)
        rows = np.repeat(np.arange(self._prompts.rows()), self._samples_per_prompt)
        repeated = self._prompts.take(rows)
        found = kl_statistics(policy, reference, repeated, drawn.responses, drawn.drawn)
        return float(found.rb_N.mean())
