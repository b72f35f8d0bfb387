"""Density ratio: how much likelier a response is to a strong policy than to a weak one.

Paper: Xu et al. 2024, "Dr. SoW: Density Ratio of Strong-over-weak LLMs for Reducing the Cost of
Human Annotation in Preference Tuning" (https://arxiv.org/abs/2411.02481) (at first "CDR:
Customizable Density Ratios of Strong-over-weak LLMs for Preference Annotation"), equation (2),
checked against its library:
    r(x, y) = log p_strong(y|x) - log p_weak(y|x), summed over the response's tokens
No reward model is trained; the larger the gap in alignment of both policies, the better it works.
Strong is a policy that DPO has trained. Weak is not the one that DPO started from, which would give
``implicit`` up to scale, but the initial policy of a share of its examples: the ratio counts both
what preferences and what the rest of the examples have taught.
Deviations: the weak policy is no checkpoint of the run that made the initial policy, but a run of
its own from the same first weights, over fewer examples, with its own schedule. The end token is
counted; the library masks it, as it does all special tokens and empty lines. ``end=False`` leaves
it out, and of a response that the token limit has cut the last word, since the ratio sees no
tokens. The paper's policies are large ones found as they are, and its strong one also reads a
criterion and examples in its prompt ("customized"), which these cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import pad

from overopt.proxies.contract.policies import PolicyReading
from overopt.spec.declare import param

POLICY = "dpo"
REFERENCE = "weak_share"


@dataclass(frozen=True)
class Config:
    """Settings of the density ratio."""

    members: int = param(1, help="strong policies, same pairs, different orders", at_least=1)
    beta: float = param(
        0.1, help="of DPO, which trains the strong policy", unit="1/nats", above=0.0
    )
    weak_share: float = param(
        0.125,
        help="share of the initial policy's examples that the weak one has seen; 1: it is that",
        above=0.0,
        at_most=1.0,
    )
    average: bool = param(False, help="divide by the number of tokens, as the library can")
    end: bool = param(True, help="whether a response's last token counts", later=True)


def score(config: Config, reading: PolicyReading) -> Tensor:
    """Log-ratio of each response, nats, summed or averaged over its tokens, (N,).

    Args:
        config: whether to average, and whether the last token counts.
        reading: log-probabilities by the strong policy and by the weak one.

    Reference:
        Dr. SoW, https://arxiv.org/abs/2411.02481
    """
    mask_NT = reading.mask_NT if config.end else pad(reading.mask_NT[:, 1:], (0, 1))
    ratio_N = ((reading.policy_logp_NT - reading.reference_logp_NT) * mask_NT).sum(-1)
    # of a response that is nothing but its end no token is left
    return ratio_N / mask_NT.sum(-1).clamp(min=1) if config.average else ratio_N
