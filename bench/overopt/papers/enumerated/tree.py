"""Direct alignment in a tree of decisions, where the probability of every response is known.

Three decisions with three choices each make 27 responses. The policy has logits of its own at each
of the 13 places of a decision; in `recurrent` its responses share parameters. A random instance is
a reference, rewards of all responses, and pairs between the few responses that the reference drew,
labeled by Bradley and Terry's model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.pairs import dpo, ipo, slic
from overopt.stats.arrays import Floats

METHODS = {"dpo": dpo, "ipo": ipo, "slic": slic}
DECISIONS, CHOICES = 3, 3
RESPONSES = CHOICES**DECISIONS
INSTANCES, SUPPORT, PAIRS = 20, 6, 24
STEPS, RATE = 300, 0.05
"""Of Adam, on all pairs at once; Adam's steps do not shrink with the scale of a loss, as beta."""


def _paths() -> tuple[Tensor, Tensor]:
    """Of each response the place of every decision and the choice there, both (R, T)."""
    choice_RT = np.stack(np.unravel_index(np.arange(RESPONSES), (CHOICES,) * DECISIONS), axis=1)
    place_RT = np.zeros_like(choice_RT)
    for t in range(1, DECISIONS):
        place_RT[:, t] = place_RT[:, t - 1] * CHOICES + choice_RT[:, t - 1] + 1
    return torch.from_numpy(place_RT), torch.from_numpy(choice_RT)


def token_logps(logits_SDC: Tensor) -> Tensor:
    """Log-probability of each choice of every response, (S, R, T), by logits of S trees."""
    place_RT, choice_RT = _paths()
    return logits_SDC.log_softmax(-1)[:, place_RT, choice_RT]


def draw(seed: int) -> tuple[Floats, Floats, Floats]:
    """An instance: logits (D, C) of its reference, numbers of chosen and rejected responses (P,).

    All responses of pairs are among ``SUPPORT`` different ones.
    """
    generator = np.random.default_rng(seed)
    places = (RESPONSES - 1) // (CHOICES - 1)
    logits_DC = generator.normal(size=(places, CHOICES))
    logp_R = token_logps(torch.from_numpy(logits_DC)[None]).sum(-1)[0].exp().numpy()
    drawn = generator.choice(RESPONSES, size=SUPPORT, replace=False, p=logp_R / logp_R.sum())
    reward_R = generator.normal(size=RESPONSES)
    pair_P2 = np.stack([generator.choice(drawn, size=2, replace=False) for _ in range(PAIRS)])
    margin_P = reward_R[pair_P2[:, 0]] - reward_R[pair_P2[:, 1]]
    is_first_P = generator.random(PAIRS) < 1.0 / (1.0 + np.exp(-margin_P))
    chosen_P = np.where(is_first_P, pair_P2[:, 0], pair_P2[:, 1])
    rejected_P = np.where(is_first_P, pair_P2[:, 1], pair_P2[:, 0])
    return logits_DC, chosen_P, rejected_P


class Instances(NamedTuple):
    """Logits of S references, and the chosen and the rejected response of each pair."""

    reference_SDC: Tensor
    pair_SP2: Tensor


@cache
def instances() -> Instances:
    """The instances of all claims."""
    drawn = [draw(seed) for seed in range(INSTANCES)]
    pairs = [np.stack((chosen_P, rejected_P), axis=1) for _, chosen_P, rejected_P in drawn]
    references = np.stack([logits_DC for logits_DC, _, _ in drawn])
    return Instances(torch.from_numpy(references), torch.from_numpy(np.stack(pairs)))


def descend(
    start: Sequence[Tensor],
    loss: Callable[[Sequence[Tensor]], Tensor],
    steps: int = STEPS,
    rate: float = RATE,
) -> list[Tensor]:
    """Parameters after some steps of Adam down their loss, which is a sum over instances."""
    parameters = [one.clone().requires_grad_() for one in start]
    optimizer = torch.optim.Adam(parameters, lr=rate)
    for _ in range(steps):
        slopes = torch.autograd.grad(loss(parameters), parameters)
        for one, slope in zip(parameters, slopes, strict=True):
            one.grad = slope
        optimizer.step()
    return [one.detach() for one in parameters]


def of_pairs(logp_SRT: Tensor, pair_SP2: Tensor, side: int) -> Tensor:
    """Token log-probabilities (S, P, T) of the chosen (side 0) or rejected (1) responses."""
    index_SPT = pair_SP2[..., side, None].expand(-1, -1, DECISIONS)
    return logp_SRT.gather(1, index_SPT)


def alignment(
    name: str, beta: float, reference_SDC: Tensor, pair_SP2: Tensor
) -> Callable[[Tensor], Tensor]:
    """The loss, a sum over all pairs, of the logits (S, D, C) of policies.

    The losses are those of this package's methods, with their defaults but for beta.
    """
    method = METHODS[name]
    reference_SRT = token_logps(reference_SDC)

    def reading(logp_SRT: Tensor, side: int) -> Reading:
        policy, base = (
            of_pairs(x, pair_SP2, side).flatten(0, 1) for x in (logp_SRT, reference_SRT)
        )
        return Reading(policy, base, torch.ones_like(base))

    def loss(logits_SDC: Tensor) -> Tensor:
        logp_SRT = token_logps(logits_SDC)
        batch = PairBatch(reading(logp_SRT, 0), reading(logp_SRT, 1))
        losses: Tensor = method.loss(method.Config(beta=beta), batch)
        return losses.sum()

    return loss


def aligned(
    name: str, beta: float, reference_SDC: Tensor, pair_SP2: Tensor, steps: int = STEPS
) -> Tensor:
    """Logits of policies that start at the reference and learn all pairs at once."""
    loss = alignment(name, beta, reference_SDC, pair_SP2)
    [logits_SDC] = descend([reference_SDC], lambda of: loss(of[0]), steps)
    return logits_SDC


@cache
def learned_references() -> Tensor:
    """Logits (S, D, C) of the references once they have learned the chosen responses."""
    reference_SDC, pair_SP2 = instances()

    def loss(of: Sequence[Tensor]) -> Tensor:
        return -of_pairs(token_logps(of[0]), pair_SP2, 0).mean(1).sum()

    [logits_SDC] = descend([reference_SDC], loss)
    return logits_SDC


@cache
def chosen_ratios(name: str, beta: float, steps: int = STEPS) -> Floats:
    """`ratio_and_kl` of policies whose references have learned the chosen responses, (2, S)."""
    pair_SP2, reference_SDC = instances().pair_SP2, learned_references()
    policy_SDC = aligned(name, beta, reference_SDC, pair_SP2, steps)
    return ratio_and_kl(reference_SDC, policy_SDC, pair_SP2)


def ratio_and_kl(reference_SDC: Tensor, policy_SDC: Tensor, pair_SP2: Tensor) -> Floats:
    """Mean log(pi/pi_ref) of the chosen responses, and KL(pi_ref || pi), nats, (2, S).

    Both are exact: the first is a mean over the pairs, the second over all responses.
    """
    reference_SR = token_logps(reference_SDC).sum(-1)
    ratio_SR = token_logps(policy_SDC).sum(-1) - reference_SR
    chosen_S = ratio_SR.gather(1, pair_SP2[..., 0]).mean(1)
    kl_S = -(reference_SR.exp() * ratio_SR).sum(1)
    return np.stack([chosen_S.numpy(), kl_S.numpy()])
