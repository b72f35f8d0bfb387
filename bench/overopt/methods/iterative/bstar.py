"""B-STaR: self-training whose temperature and threshold keep exploration and selection in balance.

Paper: Zeng et al. 2024, "B-STaR: Monitoring and Balancing Exploration and Exploitation in
Self-Taught Reasoners" (https://arxiv.org/abs/2412.17256); balance score and search from the
authors' code. Samples whose reward exceeds a threshold are learned by likelihood, round by round,
and the sampling temperature and the threshold are those with the most balance, the mean over
prompts of
    min(n / n*, 1) n / m,   m samples exceed the threshold, n of them are correct, n* = N / 8
(8 of 64 in the code): enough correct samples, and few wrong ones among what is learned. Samples of
a prompt that are the same count once among the m and among the n, as in the code.
Gold says what is correct, and only temperature and threshold follow from it: this method uses gold
for selection. It has no other way into a round's data, for which the threshold stands before its
gold is seen.
Deviations: correct is gold of at least ``good`` SDs, where the paper has answers to check, and the
reward is the proxy alone, where it adds correctness and a step reward. Balance is measured on the
samples that are learned from, not on 1,000 prompts held back with 64 samples at every temperature:
temperatures of a grid take turns, a round each, and then the best one is used until it is no more;
thresholds are chosen on a round's samples for the next. KL hardly follows ``good``: what is learned
is what passes a threshold of the proxy, from -1 to 2 SDs, whatever is called correct.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Weights, given
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("good", low=0.05, high=2.0, raises_kl=True)
USES_GOLD = "selection"

TEMPERATURES = (0.6, 0.8, 1.0, 1.2)
SAME_NATS = 1e-5
"""Up to this distance of every token's log-probability two readings are of one text."""


@dataclass(frozen=True)
class Config:
    """Settings of B-STaR."""

    good: float = param(0.5, help="gold from which on a sample is correct", unit="gold SDs")
    share: float = param(
        0.125, help="n* / N, share of correct samples that is enough", above=0.0, at_most=1.0
    )
    threshold: float = param(0.0, help="of the first round", unit="reward SDs")


class Search(NamedTuple):
    """What is remembered: settings in use, and what balance each temperature had last.

    gold_BN: of the rollout at hand. threshold: for it. coming: for the next one.
    """

    threshold: float
    coming: float
    place: int
    balance_of: tuple[float, ...]
    gold_BN: Tensor | None = None


def begin(config: Config, initial: Weights) -> Search:
    """No temperature is tried yet."""
    nothing = (math.nan,) * len(TEMPERATURES)
    return Search(config.threshold, config.threshold, 0, nothing)


def temperature(config: Config, memory: Search) -> float:
    """The first one that is not tried, then the one with the most balance."""
    return TEMPERATURES[memory.place]


def observe_gold(config: Config, memory: Search, gold_BN: Tensor) -> Search:
    """Keep gold of the rollout until its rewards are seen."""
    return memory._replace(gold_BN=gold_BN)


def observe(config: Config, memory: Search, rollout: Rollout) -> Search:
    """Choose threshold and temperature of the next round.

    Args:
        config: good, share.
        memory: with gold of this rollout.
        rollout: rewards (B, N).

    Returns:
        With ``threshold`` as it was chosen before. Of equal balance, the lowest threshold comes;
        where none has any, since no sample is correct, the one at hand stays.
    """
    good_BN = given(memory.gold_BN, "gold") >= config.good
    once_BN = first_of_equal(rollout.sampled)
    thresholds = [number / 10 for number in range(-10, 21)]  # reward SDs
    by_threshold = [
        balance(once_BN & (rollout.reward_BN > threshold), good_BN, config.share)
        for threshold in thresholds
    ]
    best = max(by_threshold)
    balance_of = list(memory.balance_of)
    balance_of[memory.place] = best
    untried = [place for place, value in enumerate(balance_of) if math.isnan(value)]
    place = untried[0] if untried else balance_of.index(max(balance_of))
    coming = thresholds[by_threshold.index(best)] if best > 0 else memory.coming
    return Search(memory.coming, coming, place, tuple(balance_of))


def balance(kept_BN: Tensor, good_BN: Tensor, share: float) -> float:
    """Mean over prompts of min(n / (share N), 1) n / m; a prompt of which none is kept counts 0.

    Args:
        kept_BN: which samples exceed the threshold, each of equal ones once.
        good_BN: which are correct.
        share: of the samples, correct ones that are enough.

    Reference:
        B-STaR, https://arxiv.org/abs/2412.17256
    """
    kept_B, both_B = kept_BN.sum(1), (kept_BN & good_BN).sum(1)
    enough_B = (both_B / (share * kept_BN.shape[1])).clamp(max=1.0)
    return float((enough_B * both_B / kept_B.clamp(min=1)).mean())


def first_of_equal(sampled: Reading) -> Tensor:
    """Which samples of a prompt are not the same as an earlier one, bool, (B, N).

    Args:
        sampled: of which the initial policy's log-probabilities, (B, N, T), tell texts apart.
    """
    apart_BNN = torch.cdist(sampled.reference_logp, sampled.reference_logp, p=torch.inf)
    masks_BNN = torch.cdist(sampled.mask, sampled.mask, p=torch.inf)
    same_BNN = (apart_BNN < SAME_NATS) & (masks_BNN == 0)
    return ~same_BNN.tril(-1).any(-1)


def build(config: Config, rollout: Rollout) -> KeptRows:
    """Samples that exceed the threshold; there may be none."""
    return KeptRows(torch.where(rollout.reward_BN.flatten() > rollout.memory.threshold)[0])


def loss(config: Config, batch: Reading) -> Tensor:
    """Negative log-likelihood of each kept response, nats, shape (B,).

    Reference:
        B-STaR, https://arxiv.org/abs/2412.17256
    """
    return -log_likelihood(batch)
