"""Whether submitted samples are a policy's: a two-sample test against fresh samples of it.

For each of B prompts there are N submitted and M fresh samples; with M = 4 N the noise of ours adds
a quarter to that of the submitted ones, with M = N as much again. If both are independent draws
from one policy, the N + M samples of a prompt are exchangeable, whatever the policy, so that
dealing them anew, prompt by prompt, gives the distribution of every statistic exactly; no
asymptotics. The statistics of each policy, all summed over prompts:

- MMD^2 with the kernel that counts the positions at which two responses have the same token (what
  stands after the end counts as one more token), s' K s with s = 1 / N for submitted and -1 / M for
  fresh samples: where the words of responses differ, in whatever way;
- the difference of means, squared, of gold, of the log-probability under the policy and under the
  initial policy, and of the length: where few words matter much, as in samples chosen by gold.

One number is tested: the largest of all statistics of all policies, each brought to mean 0 and SD 1
over the R deals (Westfall and Young's max-T, single step). p = (1 + deals at least as large) /
(1 + R), which is valid for any R; the chance of a false alarm over all policies together is at most
alpha. A linear kernel sees each position by itself; log-probabilities see words together.

Why not a test on log-probabilities alone: a policy at another temperature moves these, samples
picked by gold need not. Why not MMD alone: it is blunt against changes in few samples.

Reference: Gao, Liang, Guestrin, "Model Equality Testing: Which Model Is This API Serving?" (2024),
https://arxiv.org/abs/2410.20247: MMD with a string kernel, dealt anew within prompts. Its abstract
and first pages were read; that its Hamming kernel treats ends as here could not be checked.
Gretton et al., "A Kernel Two-Sample Test", JMLR 13 (2012); Westfall and Young,
"Resampling-Based Multiple Testing" (1993), from memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DEALS = 1999
"""Smallest p: 1 / 2000."""


class Drawn(NamedTuple):
    """N samples of one policy for each prompt, submitted or fresh, in the same order of prompts.

    ids_BNT: tokens, padded. feature_FBN: numbers of each sample.
    """

    ids_BNT: npt.NDArray[np.int32]
    feature_FBN: Floats


class SourceTest(NamedTuple):
    """p: of the largest statistic. z: its distance from what deals give, in their SDs.

    policy, statistic: which it is, by position; 0 is MMD^2, then features.
    """

    p: float
    z: float
    policy: int
    statistic: int


def judge_source(
    pairs: Sequence[tuple[Drawn, Drawn]], generator: np.random.Generator, deals: int = DEALS
) -> SourceTest:
    """Test that each pair, submitted and fresh, comes from one policy.

    Args:
        pairs: of each policy; shapes may differ between policies.
        generator: deals the samples anew.
        deals: how often, R.

    Raises:
        ValueError: there is no policy, or the two sides have other prompts or features.
    """
    if not pairs:
        raise ValueError("there is no policy to test")
    parts = [_statistics(one, other, generator, deals) for one, other in pairs]
    largest = np.full(deals + 1, -np.inf)
    best = SourceTest(1.0, -np.inf, 0, 0)
    for policy, value_SR in enumerate(parts):
        center_S1 = value_SR.mean(axis=1, keepdims=True)
        sd_S1 = value_SR.std(axis=1, keepdims=True)
        # what all samples have in common cannot tell them apart
        z_SR = np.where(sd_S1 > 1e-12, (value_SR - center_S1) / np.maximum(sd_S1, 1e-12), 0.0)
        largest = np.maximum(largest, z_SR.max(axis=0))
        top = int(z_SR[:, 0].argmax())
        if z_SR[top, 0] > best.z:
            best = SourceTest(1.0, float(z_SR[top, 0]), policy, top)
    p = float((largest[1:] >= largest[0] - 1e-9).sum() + 1) / (deals + 1)
    return best._replace(p=p)


def _statistics(
    submitted: Drawn, fresh: Drawn, generator: np.random.Generator, deals: int
) -> Floats:
    """Statistics (S, R + 1) of one policy, as submitted (column 0) and dealt anew."""
    shapes = submitted.feature_FBN.shape, fresh.feature_FBN.shape
    if shapes[0][:2] != shapes[1][:2]:
        raise ValueError(f"submitted and fresh samples differ in shape: {shapes}")
    features, prompts, samples = shapes[0]
    more = shapes[1][2]
    width = max(submitted.ids_BNT.shape[2], fresh.ids_BNT.shape[2])
    value_SR = np.zeros((1 + features, deals + 1))
    difference_FR = np.zeros((features, deals + 1))
    as_given = np.repeat((1.0 / samples, -1.0 / more), (samples, more))
    for b in range(prompts):
        ids_NT = np.concatenate([_widen(one.ids_BNT[b], width) for one in (submitted, fresh)])
        kernel_NN = np.zeros((samples + more, samples + more))
        for t in range(width):
            kernel_NN += ids_NT[:, t, None] == ids_NT[None, :, t]
        feature_FN = np.concatenate([submitted.feature_FBN[:, b], fresh.feature_FBN[:, b]], axis=1)
        dealt_RN = generator.permuted(np.tile(as_given, (deals, 1)), axis=1)
        weight_RN = np.concatenate([as_given[None], dealt_RN])
        value_SR[0] += ((weight_RN @ kernel_NN) * weight_RN).sum(axis=1)
        difference_FR += feature_FN @ weight_RN.T
    value_SR[1:] = difference_FR**2
    return value_SR


def _widen(ids_NT: npt.NDArray[np.int32], width: int) -> npt.NDArray[np.int32]:
    return np.pad(ids_NT, ((0, 0), (0, width - ids_NT.shape[1])), constant_values=-1)
