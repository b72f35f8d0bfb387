"""How much likelier a particle filter makes an answer than the initial policy does.

A filter draws its answer among particles, so that its policy is an average over all that could have
grown beside the answer. With G the product of the weights along the way to an answer y, and Z the
product over the steps of the mean weight of a run's particles,

    log pi(y) / pi_ref(y) = log G(y) + log E[1 / Z],

the mean being over runs in which y is one particle and never dropped. One step of N particles is
soft best-of-n: pi / pi_ref = N E[a(y) / (a(y) + a(y_2) + ... + a(y_N))]. It holds for multinomial
resampling at every step and weights that depend on the particle alone.

Reference: Andrieu, Doucet, Holenstein, "Particle Markov chain Monte Carlo methods", 2010, theorem 1
(the number from memory), from which the mean over conditional runs follows by summing out all but
the answer; the tests hold it against enumeration.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import logsumexp

from overopt.engines.particles.filter import Answers, ParticleFilter
from overopt.stats.arrays import Floats
from overopt.worlds.tokens import Tokens


def log_ratios(
    runner: ParticleFilter,
    prompts: Tokens,
    answers: Answers,
    knob: float,
    lineages: int,
    generator: torch.Generator,
    rng: np.random.Generator,
) -> Floats:
    """log pi(y) / pi_ref(y) of each answer, nats; its mean over answers of the filter is the KL.

    The logarithm of a mean over a few runs is too low; the jackknife over them takes out the first
    order of that.

    Args:
        runner: the filter.
        prompts: R of them, the prompt of each answer.
        answers: R answers.
        knob: the one that they were drawn at.
        lineages: conditional runs for each answer, at least 2.
        generator, rng: as those of a run.

    Returns:
        Shape (R,).
    """
    runs = prompts.rows()
    row_A = np.repeat(np.arange(runs), lineages)
    kept = answers.responses.take(row_A)
    again = runner.run(prompts.take(row_A), knob, generator, rng, kept)
    inverse_RM = -again.log_mean_R.reshape(runs, lineages)
    whole_R = logsumexp(inverse_RM, axis=1) - np.log(lineages)
    without_RM = np.empty_like(inverse_RM)
    for m in range(lineages):
        others = np.delete(inverse_RM, m, axis=1)
        without_RM[:, m] = logsumexp(others, axis=1) - np.log(lineages - 1)
    mean_R = lineages * whole_R - (lineages - 1) * without_RM.mean(axis=1)
    found: Floats = answers.potential_R + mean_R
    return found


def upper_bounds(answers: Answers) -> Floats:
    """log G - log Z of each answer's own run (R,), whose mean is no lower than the KL, nats.

    It is the KL of answer and company together, against an answer of the initial policy and the
    company of a conditional run.
    """
    found: Floats = answers.potential_R - answers.log_mean_R
    return found
