"""Entropic particle filtering: a particle filter that holds back early where few particles lead.

Paper: Giannone et al. 2025, "Mitigating Premature Exploitation in Particle-based Monte Carlo for
Inference-Time Scaling" (https://arxiv.org/abs/2510.05825); rule from the authors' code, equation
numbers not verified. Particles are resampled by softmax(log w / temp), w as in pf (odds of the last
score). Let p be the chances at temp = 1, e = 1 / (N sum p^2) the effective share of the particles,
h = -sum p log p / log N, and u the fraction of the steps taken. Where e < 1/2 and u < 1/2,
    ess:      temp = max(1, (1 - u) / e)          the authors' default
    entropy:  temp = max(1, 1 / (h + (1 - h) u))
    base:     temp = max(1, 2 - u)
and elsewhere temp = 1. Equal scores, or e at least 1/2, leave the particle filter as it is.
Deviations: those of pf (the proxy's reward of a partial answer is the logit; a step is a block of
tokens; one of the last particles is drawn; temperature 1). Resampling is multinomial, under which
the KL is known, where the authors' default is systematic. Four steps, so that the first is one of
early ones. Look-ahead modulation is not in the released code, and not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from overopt.methods.contract.particles import Floats, Grown
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("temperature", low=0.02, high=100.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of entropic particle filtering."""

    particles: int = param(16, help="answers that grow side by side", at_least=1)
    steps: int = param(4, help="blocks that the longest response is cut into", at_least=1)
    annealing: str = param(
        "ess", help="how early steps are held back", one_of=("ess", "entropy", "base")
    )
    threshold: float = param(
        0.5, help="effective share of the particles below which they are", at_least=0.0, at_most=1.0
    )
    early: float = param(
        0.5, help="fraction of the steps up to which they are", at_least=0.0, at_most=1.0
    )


def annealing_temperature(config: Config, log_chance_RN: Floats, taken: float) -> Floats:
    """What the log weights of each run are divided by, (R, 1), at least 1.

    Args:
        config: annealing, threshold and early.
        log_chance_RN: log p of each particle.
        taken: u, the fraction of the steps taken.

    Raises:
        ValueError: if there is no such annealing.

    Reference:
        Entropic particle filtering, https://arxiv.org/abs/2510.05825; from the authors' code
    """
    chance_RN = np.exp(log_chance_RN)
    count = chance_RN.shape[1]
    share_R1 = 1.0 / (count * np.square(chance_RN).sum(axis=1, keepdims=True))
    if config.annealing == "ess":
        wanted_R1 = (1.0 - taken) / share_R1
    elif config.annealing == "entropy":
        entropy_R1 = -(chance_RN * log_chance_RN).sum(axis=1, keepdims=True) / np.log(count)
        wanted_R1 = 1.0 / (entropy_R1 + (1.0 - entropy_R1) * taken)
    elif config.annealing == "base":
        wanted_R1 = np.full_like(share_R1, 2.0 - taken)
    else:
        raise ValueError(f"annealing = {config.annealing!r}; choose ess, entropy or base")
    held = (share_R1 < config.threshold) & (taken < config.early)
    return np.asarray(np.where(held, np.maximum(wanted_R1, 1.0), 1.0), np.float64)


def potential(config: Config, grown: Grown, knob: float) -> Floats:
    """Log odds of each particle's last score over both temperatures, (R, N).

    Args:
        config: how early steps are held back.
        grown: proxy scores of the answers as they stand, in SDs of the initial policy: logits.
        knob: T, above 0, in the same SDs.

    Raises:
        ValueError: if the temperature is not above 0.

    Reference:
        Entropic particle filtering, https://arxiv.org/abs/2510.05825; from the authors' code
    """
    if not knob > 0:
        raise ValueError(f"the temperature of a particle filter must be above 0, got {knob}")
    log_chance_RN = log_softmax(grown.score_RN / knob, axis=1)
    if log_chance_RN.shape[1] == 1:
        return np.asarray(log_chance_RN, np.float64)
    taken = grown.step / grown.steps
    held_RN = log_chance_RN / annealing_temperature(config, log_chance_RN, taken)
    return np.asarray(held_RN, np.float64)
