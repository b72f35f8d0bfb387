"""Particle filtering: partial answers grow side by side, and multiply by the odds of their score.

Paper: Puri et al. 2025, "A Probabilistic Inference Approach to Inference-Time Scaling of LLMs using
Particle-Based Monte Carlo Methods" (https://arxiv.org/abs/2502.01618); rule from the authors' code,
equation numbers not verified. N answers are extended by a step, scored q in (0, 1), and resampled
at every step, multinomially, by
    softmax( logit(q) / T ),   logit(q) = log(q / (1 - q)): the odds of the last score only,
neither the product of scores nor their ratio. Answers that have ended stay in the resampling.
With one step it is soft best-of-n; with N -> infinity pi_ref exp(sum over steps of score / T) / Z.
Deviations: the score is the proxy's reward of the answer as it stands, in SDs of the initial
policy, and stands for the logit (q = sigmoid(score), so that no q is clipped); the paper has a
process reward model. The proxy was trained on whole responses, and reads a partial one as if it had
ended. A step is a block of tokens, a third of the longest response, not a line of reasoning. The
initial policy samples at temperature 1, not .8. One of the last particles is drawn by its weight;
the paper takes the best, a selection on top. The knob is T at a fixed N. KL is estimated by
conditional filters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.methods.contract.particles import Floats, Grown
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("temperature", low=0.02, high=100.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of particle filtering."""

    particles: int = param(16, help="answers that grow side by side", at_least=1)
    steps: int = param(3, help="blocks that the longest response is cut into", at_least=1)


def potential(config: Config, grown: Grown, knob: float) -> Floats:
    """Log odds of each particle's last score over the temperature, (R, N).

    Args:
        config: unused here.
        grown: proxy scores of the answers as they stand, in SDs of the initial policy: logits.
        knob: T, above 0, in the same SDs.

    Raises:
        ValueError: if the temperature is not above 0.

    Reference:
        Particle-Based Monte Carlo Methods, https://arxiv.org/abs/2502.01618; authors' code
    """
    if not knob > 0:
        raise ValueError(f"the temperature of a particle filter must be above 0, got {knob}")
    return np.asarray(grown.score_RN / knob, np.float64)
