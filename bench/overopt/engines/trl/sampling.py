"""Draws a rollout's samples, each process a share of the prompts, and gathers them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.trl.passes import Passes
from overopt.engines.trl.token_lists import from_lists
from overopt.methods.contract.reading import Reading
from overopt.models.logprobs import KLStatistics, score_logps
from overopt.models.sampling import sample
from overopt.models.sequences import join
from overopt.worlds.tokens import Tokens


class OwnSamples(NamedTuple):
    """This process's responses, N of each of its prompts.

    prompts: of each row. logp_NT: log-probability of each token when it was sampled; None where
    another sampler has drawn them.
    """

    prompts: Tokens
    responses: Tokens
    logp_NT: npt.NDArray[np.float32] | None


class ShareSampler:
    """Samples this process's share of the prompts, with the random numbers that fall to it.

    Args:
        trainer: of TRL, which has the policy and knows of the other processes.
        samples: N, of each prompt.
        max_new_tokens: limit of a response's length.
        generation: who samples (``TrlSpec.generation``).
        generator: of this package's sampler, the same in every process.
    """

    def __init__(
        self,
        trainer: Any,
        samples: int,
        max_new_tokens: int,
        generation: str,
        generator: torch.Generator,
    ) -> None:
        self._trainer = trainer
        self._samples, self._max_new_tokens = samples, max_new_tokens
        self._is_own, self._generator = generation == "overopt", generator

    def draw(self, prompts: Tokens, prompts_of_step: int) -> OwnSamples:
        """Responses to this process's prompts, out of those of the step."""
        repeated = prompts.take(np.repeat(np.arange(prompts.rows()), self._samples))
        if not self._is_own:
            return OwnSamples(repeated, from_lists(self._trainer.generate_ids(repeated)), None)
        own, process = prompts.rows(), self._trainer.accelerator.process_index
        self.skip(own * process)
        drawn = sample(
            self._trainer.model, prompts, self._samples, self._max_new_tokens, self._generator
        )
        self.skip(prompts_of_step - own * (process + 1))
        return OwnSamples(repeated, drawn.responses, drawn.logp_NT)

    def skip(self, prompts: int) -> None:
        """Pass over the random numbers of other processes' prompts, or of steps already taken."""
        if self._is_own:
            shape = (prompts * self._samples, self._max_new_tokens)
            torch.rand(shape, generator=self._generator, dtype=torch.float64)

    def gather_responses(self, own: Tokens) -> Tokens:
        """Responses of all processes."""
        ids_NT = self._gather(torch.from_numpy(own.ids_NT)).cpu().numpy()
        length_N = self._gather(torch.from_numpy(own.mask_NT.astype(np.float32))).sum(-1)
        return Tokens(ids_NT, length_N.cpu().numpy().astype(np.int32))

    def gather_reading(self, own: Reading) -> Reading:
        """A reading of the rows of all processes, (B, N, T)."""
        return own.map(self._gather).group(self._samples)

    def _gather(self, own_NT: Tensor) -> Tensor:
        """The rows of all processes, padded to one width, in the order of the processes."""
        accelerator = self._trainer.accelerator
        value_NT = own_NT.to(accelerator.device)
        rows: Tensor = accelerator.gather(accelerator.pad_across_processes(value_NT, dim=1))
        return rows


def known_reading(
    own: OwnSamples, seen: KLStatistics, anchor: PreTrainedModel | None, device: torch.device
) -> Reading:
    """This process's samples, (R, T), as they were drawn.

    Args:
        own: the samples.
        seen: what policy and reference say of them.
        anchor: that a hook has set.
        device: where the tensors go.
    """
    sampled_RT = seen.policy_logp_NT if own.logp_NT is None else own.logp_NT
    anchor_logp_RT: Tensor | None = None
    if anchor is not None:
        scored_RT = score_logps(anchor, own.prompts, own.responses)
        anchor_logp_RT = torch.from_numpy(scored_RT).to(device)
    return Reading(
        policy_logp=torch.from_numpy(sampled_RT).to(device),
        reference_logp=torch.from_numpy(seen.reference_logp_NT).to(device),
        mask=torch.from_numpy(own.responses.mask_NT.astype(np.float32)).to(device),
        anchor_logp=anchor_logp_RT,
    )


def read_further(
    own: OwnSamples, known: Reading, passes: Passes, policy: Any, count: int
) -> Reading:
    """The same with what the method asks for beside log-probabilities, in ``count`` passes."""
    parts: list[dict[str, Tensor]] = []
    for index_K in np.array_split(np.arange(own.prompts.rows()), count):
        if len(index_K):
            prompts, responses = own.prompts.take(index_K), own.responses.take(index_K)
            batch = join(prompts, responses, passes.device)
            before = known.take(torch.from_numpy(index_K).to(passes.device)).group(len(index_K))
            with torch.no_grad():
                [reading] = passes.read(policy, batch, before).unbind(0)
            parts.append(reading.policy_parts())
    read = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return known._replace(**{**read, "policy_logp": known.policy_logp})
