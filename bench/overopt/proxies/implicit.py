"""The implicit reward: how much likelier DPO has made a response than it was.

Paper: Rafailov et al. 2023, "Direct Preference Optimization: Your Language Model is Secretly a
Reward Model" (https://arxiv.org/abs/2305.18290), section 4 (the reward that a policy is optimal
for, up to a term of the prompt):
    r(x, y) = beta log(pi_dpo(y|x) / pi_ref(y|x)), summed over the response's tokens
Lin et al. 2024, "On the Limited Generalization Capability of the Implicit Reward Model Induced by
Direct Preference Optimization" (https://arxiv.org/abs/2409.03650), compares it with reward models
of the same size trained on the same pairs (abstract seen; its numbers were not verified); here
these are ``single`` with --proxy-start policy. pi_ref is the initial policy.
Deviations: pi_dpo is the policy that DPO ends with at the task's settings for methods on pairs,
which pass over the pairs more often than reward models do. Scores are brought to SD 1, so that beta
acts through the training only.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.proxies.contract.policies import PolicyReading
from overopt.spec.declare import param

POLICY = "dpo"


@dataclass(frozen=True)
class Config:
    """Settings of the implicit reward."""

    members: int = param(1, help="policies, same pairs, different orders", at_least=1)
    beta: float = param(0.1, help="of DPO, and scale of the reward", unit="1/nats", above=0.0)


def score(config: Config, reading: PolicyReading) -> Tensor:
    """beta times the summed log-ratio of each response, (N,).

    Args:
        config: beta, per nat.
        reading: log-probabilities by both policies.

    Reference:
        Direct Preference Optimization, section 4, https://arxiv.org/abs/2305.18290
        On the Limited Generalization Capability of the Implicit Reward Model Induced by Direct
        Preference Optimization, https://arxiv.org/abs/2409.03650
    """
    ratio_NT = reading.policy_logp_NT - reading.reference_logp_NT
    return config.beta * ratio_NT.sum(-1)
