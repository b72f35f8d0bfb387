"""Direct alignment in a tree of decisions, where the probability of every response is known.

Three decisions with three choices each make 27 responses. The policy has logits of its own at each
of the 13 places of a decision. A random instance is a reference, rewards of all responses, and
pairs between the few responses that the reference drew, labeled by Bradley and Terry's model.
"""

from __future__ import annotations

from functools import cache

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


@cache
def mass_outside(name: str, beta: float) -> Floats:
    """Probability of responses that no pair holds, before and after training, (2, instances).

    The losses are those of this package's methods, with their defaults but for beta.
    """
    method = METHODS[name]
    drawn = [draw(seed) for seed in range(INSTANCES)]
    base_SDC = torch.from_numpy(np.stack([logits for logits, _, _ in drawn]))
    pair_SP2 = torch.from_numpy(np.stack([np.stack(pair, axis=1) for _, *pair in drawn]))
    base_SRT = token_logps(base_SDC)
    is_outside_SR = torch.ones(INSTANCES, RESPONSES, dtype=torch.bool)
    is_outside_SR.scatter_(1, pair_SP2.flatten(1), False)

    def outside(logp_SRT: Tensor) -> Floats:
        return (logp_SRT.sum(-1).exp() * is_outside_SR).sum(1).detach().numpy()

    def reading(logp_SRT: Tensor, side: int) -> Reading:
        index_SPT = pair_SP2[..., side, None].expand(-1, -1, DECISIONS)
        policy, base = (one.gather(1, index_SPT).flatten(0, 1) for one in (logp_SRT, base_SRT))
        return Reading(policy, base, torch.ones_like(base))

    logits_SDC = base_SDC.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits_SDC], lr=RATE)
    for _ in range(STEPS):
        logp_SRT = token_logps(logits_SDC)
        batch = PairBatch(reading(logp_SRT, 0), reading(logp_SRT, 1))
        loss = method.loss(method.Config(beta=beta), batch).sum()
        [logits_SDC.grad] = torch.autograd.grad(loss, [logits_SDC])
        optimizer.step()
    return np.stack([outside(base_SRT), outside(token_logps(logits_SDC))])
