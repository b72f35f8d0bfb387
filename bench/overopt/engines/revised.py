"""Revisions that the policy makes of its own samples during training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from overopt.engines.contract import RunInputs, required
from overopt.engines.drawn import DrawnSamples, read_responses
from overopt.engines.learner import Learner
from overopt.engines.pair_readings import revision_prompts
from overopt.models.sampling import sample
from overopt.worlds.tokens import Tokens


def draw_opponents(
    learner: Learner, drawn: DrawnSamples, prompts: Tokens, inputs: RunInputs
) -> DrawnSamples:
    """One revision of each sample, drawn and read after ``prompt | sample | separator``.

    Its reward is that of an answer to the prompt itself.

    Args:
        learner: policy and reference, whose context holds a prompt and two responses.
        drawn: B prompts with N samples each.
        prompts: B of them.
        inputs: of the run, with a separator; torch draws the revisions.
    """
    reward = required(inputs.reward, "a reward")
    separator = required(inputs.separator, "a separator, which only generated worlds have")
    repeated = drawn.repeat(prompts)
    asked = revision_prompts(repeated, drawn.responses, separator)
    made = sample(learner.policy, asked, 1, inputs.max_new_tokens, inputs.randomness.torch)

    def of_prompt(_: Tokens, responses: Tokens, /) -> npt.NDArray[np.float64]:
        return reward(repeated, responses)

    read = read_responses(learner, asked, made.responses, of_prompt, made.logp_NT)
    samples = drawn.rollout.reward_BN.shape[1]

    def regroup(part: Tensor) -> Tensor:
        return part.reshape(-1, samples, *part.shape[2:])

    others = read.rollout._replace(
        reward_BN=regroup(read.rollout.reward_BN), sampled=read.rollout.sampled.map(regroup)
    )
    rollout = drawn.rollout._replace(opponents=others)
    return drawn._replace(rollout=rollout, opponents=read._replace(rollout=others))
