"""The planted error of a proxy's score: a draw that belongs to prompt and response.

Reference:
    Kwa, Thomas, Garriga-Alonso, "Catastrophic Goodhart", 2024, https://arxiv.org/abs/2407.14503:
    proxy U = V + X with an error X independent of the utility V; light tails of X leave
    optimization useful, heavy ones make it useless.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from overopt.artifacts.scores import fingerprint
from overopt.spec.score_error import ScoreErrorSpec
from overopt.worlds.tokens import Tokens

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHAPE = {"student": 3.0, "lognormal": 1.0}


def errors(
    spec: ScoreErrorSpec, seed: int, prompts: Tokens, responses: Tokens
) -> npt.NDArray[np.float64]:
    """The error of each response's score, (N,), in SDs of the initial policy.

    Quantiles of the distribution at uniform numbers that are hashes of seed, prompt and response.

    Args:
        spec: distribution and dose.
        seed: another seed, another error of the same response.
        prompts, responses: N of each.
    """
    return spec.dose * draws(spec, uniforms(seed, prompts, responses))


def uniforms(seed: int, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
    """A uniform number strictly between 0 and 1 for each response to its prompt, (N,)."""
    state_N = _mix(fingerprint(prompts).view(np.uint64) + np.uint64(seed % 2**64))
    state_N = _mix(state_N ^ fingerprint(responses).view(np.uint64))
    # 52 bits: with 53 the largest would round to 1
    return ((state_N >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def draws(spec: ScoreErrorSpec, uniform_N: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Quantiles of the distribution at these probabilities, dose 1."""
    shape = _SHAPE.get(spec.distribution, 0.0) if spec.shape is None else spec.shape
    if spec.distribution == "normal":
        found_N = stats.norm.ppf(uniform_N)
    elif spec.distribution == "student":
        found_N = stats.t.ppf(uniform_N, shape)
    elif spec.distribution == "lognormal":
        found_N = np.exp(shape * stats.norm.ppf(uniform_N))
    else:
        found_N = stats.levy.ppf(uniform_N)
    return np.asarray(found_N, np.float64)


def _mix(state_N: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64: every bit of the result depends on every bit given.

    Reference:
        Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014,
        https://doi.org/10.1145/2660193.2660195 (constants from memory).
    """
    state_N = state_N + _GOLDEN
    state_N = (state_N ^ (state_N >> np.uint64(30))) * _FIRST
    state_N = (state_N ^ (state_N >> np.uint64(27))) * _SECOND
    return state_N ^ (state_N >> np.uint64(31))
