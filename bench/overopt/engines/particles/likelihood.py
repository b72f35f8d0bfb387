"""How much likelier a particle filter makes an answer than the initial policy does.

A filter draws its answer among particles, so that its policy is an average over all that could have
grown beside the answer. With W_k the chance that a draw after step k takes the particle that grows
into an answer y,

    pi(y) / pi_ref(y) = E[ product over the steps of N W_k ],

the mean being over runs in which y is one particle and never dropped. One step of N particles is
soft best-of-n: pi / pi_ref = N E[a(y) / (a(y) + a(y_2) + ... + a(y_N))]. The density of a run is
that of y under pi_ref, that of the others given y, and a W_k for each step; sum out the others, and
the N places that y may have at each step. It holds for multinomial resampling at every step, and
weights that do not depend on the order of the particles.

Reference: Andrieu, Doucet, Holenstein, "Particle Markov chain Monte Carlo methods", 2010, theorem 1
(the number from memory), for weights of a particle alone, of which this is the marginal; the tests
hold it against enumeration.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from scipy.special import logsumexp

from overopt.engines.particles.filter import Answers
from overopt.stats.arrays import Floats
from overopt.worlds.tokens import Tokens

TRUSTED_SHARE = 0.5
"""Effective share of the answers from which on the mean of pi_ref / pi is taken to be known."""

TRUSTED_ERRORS = 3.0
"""How many standard errors that mean may lie from what it is known to be."""


class Runner(Protocol):
    """What draws answers, and grows company around answers that are kept."""

    @property
    def count(self) -> int:
        """Samples of the initial policy, whole or begun, that an answer costs."""
        ...

    def run(
        self,
        prompts: Tokens,
        knob: float,
        generator: torch.Generator,
        rng: np.random.Generator,
        kept: Tokens | None = None,
    ) -> Answers:
        """One answer to each of R prompts; ``kept`` makes the runs conditional."""
        ...


class Ratios(NamedTuple):
    """How much likelier R answers are than under the initial policy, pi / pi_ref.

    log_R: its logarithm, nats. inverse_R: pi_ref / pi, whose mean over answers of pi is 1.
    """

    log_R: Floats
    inverse_R: Floats

    def kl_terms(self) -> Floats:
        """Terms (R,) whose mean is KL(pi || pi_ref), nats.

        log r + c (1 / r - 1): what is added has the mean 0, and c is what makes the terms vary
        least on these answers; with c = 1 it is k3. Far from pi_ref, 1 / r has a tail that so many
        answers do not show, and its mean on them is not 1: where it rests on less than
        ``TRUSTED_SHARE`` of them, or lies more than ``TRUSTED_ERRORS`` standard errors from 1, c
        is 0.
        """
        beyond_R = self.inverse_R - 1.0
        spread = float((beyond_R - beyond_R.mean()) @ beyond_R)
        effective = self.inverse_R.sum() ** 2 / np.square(self.inverse_R).sum()
        count = len(self.log_R)
        error = (spread / count) ** 0.5 / count**0.5
        unknown = abs(float(beyond_R.mean())) > TRUSTED_ERRORS * error
        if unknown or spread == 0 or effective < TRUSTED_SHARE * count:
            return self.log_R
        shared = float((self.log_R - self.log_R.mean()) @ beyond_R)
        found: Floats = self.log_R - shared / spread * beyond_R
        return found


def ratios(
    runner: Runner,
    prompts: Tokens,
    answers: Answers,
    knob: float,
    lineages: int,
    generator: torch.Generator,
    rng: np.random.Generator,
) -> Ratios:
    """pi(y) / pi_ref(y) of each answer.

    The mean is over fresh runs and the answer's own. Own runs are found in proportion to their
    share, and with one of them among fresh ones the inverse of the mean share is unbiased, so that
    its logarithm is too high in the mean and never far too low: fresh runs alone say next to
    nothing of a cold filter's answer, which all of them may drop. The jackknife over the fresh runs
    takes out the first order of what is left.

    Args:
        runner: the filter or search.
        prompts: R of them, the prompt of each answer.
        answers: R answers.
        knob: the one that they were drawn at.
        lineages: fresh conditional runs for each answer, at least 1.
        generator, rng: as those of a run.
    """
    runs = prompts.rows()
    row_A = np.repeat(np.arange(runs), lineages)
    kept = answers.responses.take(row_A)
    again = runner.run(prompts.take(row_A), knob, generator, rng, kept)
    fresh_RM = again.log_share_R.reshape(runs, lineages)
    share_RM = np.concatenate([answers.log_share_R[:, None], fresh_RM], axis=1)
    log_R = logsumexp(share_RM, axis=1) - np.log(lineages + 1)
    without_RM = np.empty_like(fresh_RM)
    for m in range(lineages):
        others = np.delete(share_RM, m + 1, axis=1)
        without_RM[:, m] = logsumexp(others, axis=1) - np.log(lineages)
    return Ratios(
        (lineages + 1) * log_R - lineages * without_RM.mean(axis=1),
        np.exp(-log_R),
    )


def upper_bounds(answers: Answers) -> Floats:
    """Log share of each answer in its own run (R,), whose mean is no lower than the KL, nats.

    It is the KL of answer and company together, against an answer of the initial policy and the
    company of a conditional run.
    """
    return answers.log_share_R
