"""How good a proxy is before anything is optimized against it, and where it fails.

Pooled accuracy compares answers to different prompts, which a proxy that only knows which prompts
are easy can win; within-prompt accuracy is what best-of-n and policy gradients live on.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from overopt.stats.arrays import Floats, Ints, check_finite, check_same_shape, group_rows
from overopt.stats.kl import Estimate, clustered_mean_ragged


class RankingAccuracy(NamedTuple):
    """How often the proxy orders two responses as gold does; 0.5 is chance.

    Attributes:
        within: mean over prompts of the accuracy inside a prompt, or None when no prompt has two
            responses of different gold.
        pooled: accuracy over all pairs of rows regardless of prompt, or None without such a pair.
        n_prompts_without_pairs: prompts left out of `within` because their gold is constant.
    """

    within: Estimate | None
    pooled: float | None
    n_prompts_without_pairs: int


class Correlation(NamedTuple):
    """Pearson correlation of proxy and gold under the initial policy.

    Attributes:
        pooled: over prompts and responses together, or None when proxy or gold is constant.
        within: after subtracting each prompt's means, or None likewise.
    """

    pooled: float | None
    within: float | None


class TailIndex(NamedTuple):
    """Hill estimate of the upper tail of proxy - gold.

    Attributes:
        alpha: tail index; P(error > x) falls like x^-alpha, so smaller is heavier. A light tail
            gives large values that grow with the sample.
        se: asymptotic standard error, alpha / sqrt(k).
        k: exceedances used.
    """

    alpha: float
    se: float
    k: int


class Calibration(NamedTuple):
    """Expected calibration error of predicted preference probabilities.

    Attributes:
        error: mean over pairs of |observed - predicted| by bin, between 0 and 1.
        n_bins_used: bins that hold at least one pair.
        n_pairs: pairs.
    """

    error: float
    n_bins_used: int
    n_pairs: int


def ranking_accuracy(prompt_R: ArrayLike, gold_R: ArrayLike, proxy_R: ArrayLike) -> RankingAccuracy:
    """AUROC of the proxy against gold: P(proxy_i > proxy_j | gold_i > gold_j), ties 1/2.

    Every pair with different gold counts once. Costs O(R log^2 R) for all prompts together.

    Args:
        prompt_R: prompt id of each response.
        gold_R: gold score of each response.
        proxy_R: proxy score of each response.

    Raises:
        ValueError: if shapes differ, or a score is NaN or infinite.
    """
    gold, proxy = check_finite(gold_R, "gold"), check_finite(proxy_R, "proxy")
    groups = group_rows(prompt_R)
    check_same_shape(gold, proxy, "gold and proxy")
    check_same_shape(gold, groups.index_R, "gold and prompt ids")
    concordant_B, pairs_B = _count_concordant(groups.index_R, groups.size_B.size, gold, proxy)
    everyone = np.zeros(gold.size, np.int64)
    concordant, pairs = _count_concordant(everyone, 1, gold, proxy)
    used = pairs_B > 0
    within: Estimate | None = None
    if used.any():
        accuracy_B = concordant_B[used] / pairs_B[used]
        mean = clustered_mean_ragged(accuracy_B, np.flatnonzero(used))
        within = mean._replace(n_samples=int(groups.size_B[used].sum()))
    pooled = float(concordant[0] / pairs[0]) if pairs[0] > 0 else None
    return RankingAccuracy(within, pooled, int(np.count_nonzero(~used)))


def correlate_proxy(prompt_R: ArrayLike, gold_R: ArrayLike, proxy_R: ArrayLike) -> Correlation:
    """Correlation of proxy and gold over samples of the initial policy.

    Args:
        prompt_R: prompt id of each sample.
        gold_R: gold score of each sample.
        proxy_R: proxy score of each sample.

    Raises:
        ValueError: if shapes differ, or a score is NaN or infinite.

    Reference:
        Laidlaw, Singhal, Dragan, "Correlated Proxies", 2024, https://arxiv.org/abs/2403.03185:
        r-correlation under the reference policy (read in the abstract and a summary). There the
        expectation runs over states and actions, which is `pooled`; `within` is ours.
    """
    gold, proxy = check_finite(gold_R, "gold"), check_finite(proxy_R, "proxy")
    groups = group_rows(prompt_R)
    check_same_shape(gold, proxy, "gold and proxy")
    check_same_shape(gold, groups.index_R, "gold and prompt ids")
    centered = [
        values - (np.bincount(groups.index_R, weights=values) / groups.size_B)[groups.index_R]
        for values in (gold, proxy)
    ]
    pooled = _pearson(gold - gold.mean(), proxy - proxy.mean(), gold, proxy)
    return Correlation(pooled, _pearson(centered[0], centered[1], gold, proxy))


def hill_tail_index(error: ArrayLike, k: int | None = None) -> TailIndex:
    """Hill's estimator on the k largest errors: 1 / mean log(x_(i) / x_(k+1)).

    The errors (proxy - gold) are first recentered at their median, because Hill's estimator is not
    invariant to a shift.

    Args:
        error: proxy - gold of each sample, in any unit.
        k: exceedances; the integer square root of the number of errors by default.

    Raises:
        ValueError: if a value is NaN or infinite, k does not lie in 1..n-1, or the threshold is
            not above the median (too many ties or too large a k).

    Reference:
        Hill, "A Simple General Approach to Inference About the Tail of a Distribution", 1975. Its
        use on the reward error follows Kwa et al., "Catastrophic Goodhart", 2024,
        https://arxiv.org/abs/2407.14503 (not verified).
    """
    values = np.ravel(check_finite(error, "errors"))
    count = int(np.sqrt(values.size)) if k is None else k
    if not 1 <= count < values.size:
        raise ValueError(f"k must lie in 1..{values.size - 1}, got {count}")
    top = np.sort(values - np.median(values))[-(count + 1) :]
    if top[0] <= 0 or top[-1] == top[0]:
        raise ValueError("the largest errors do not exceed their threshold: no tail to estimate")
    alpha = float(1.0 / np.mean(np.log(top[1:] / top[0])))
    return TailIndex(alpha, alpha / float(np.sqrt(count)), count)


def preference_probability(margin_P: ArrayLike) -> Floats:
    """Bradley-Terry probability that the first response is preferred: sigmoid(score 1 - score 2).

    Raises:
        ValueError: if a margin is NaN or infinite.
    """
    return np.asarray(expit(check_finite(margin_P, "margins")), np.float64)


def calibration_error(
    probability_P: ArrayLike, preferred_P: ArrayLike, n_bins: int = 10
) -> Calibration:
    """Expected calibration error: sum over bins of (pairs in bin / pairs) |observed - predicted|.

    Bins have equal width on [0, 1]. The first response of a pair must be an arbitrary one: if the
    chosen one always comes first, `preferred_P` is constant and the error measures nothing.

    Args:
        probability_P: predicted probability that the first response is preferred.
        preferred_P: 1 where it was, 0 where it was not, or a rate in between.
        n_bins: number of bins.

    Raises:
        ValueError: if shapes differ, or a value lies outside [0, 1].

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, Eq. 3 (from memory; there of
        the predicted class, here of the first response), https://arxiv.org/abs/1706.04599.
    """
    probability = check_finite(probability_P, "probabilities")
    preferred = check_finite(preferred_P, "preferences")
    check_same_shape(probability, preferred, "probabilities and preferences")
    if n_bins < 1:
        raise ValueError(f"the number of bins must be at least 1, got {n_bins}")
    for name, values in (("probabilities", probability), ("preferences", preferred)):
        if np.any(values < 0) or np.any(values > 1):
            raise ValueError(f"{name} must lie between 0 and 1")
    bin_P = np.minimum((probability * n_bins).astype(np.int64), n_bins - 1)
    gap = np.bincount(bin_P, weights=preferred - probability, minlength=n_bins)
    used = np.bincount(bin_P, minlength=n_bins) > 0
    error = float(np.abs(gap).sum() / probability.size)
    return Calibration(error, int(used.sum()), probability.size)


def _count_concordant(
    group_R: Ints, n_groups: int, gold_R: Floats, proxy_R: Floats
) -> tuple[Floats, Floats]:
    """Concordant pairs (a proxy tie counts 1/2) and pairs of different gold, by group.

    Two different gold ranks first differ, from the highest bit down, at exactly one bit. So at
    every bit the rows that agree on all higher bits form a block, and inside it rows with the bit
    set have higher gold than rows without: counting, in proxy order, the unset rows below each set
    row visits every pair of different gold once.
    """
    order = np.lexsort((proxy_R, group_R))
    group, proxy = group_R[order], proxy_R[order]
    rank = np.unique(gold_R, return_inverse=True)[1].astype(np.int64)[order]
    n_ranks = int(rank.max()) + 1
    concordant = np.zeros(n_groups, np.float64)
    pairs = np.zeros(n_groups, np.float64)
    for bit in range(int(n_ranks - 1).bit_length()):
        block = group * (n_ranks + 1) + (rank >> (bit + 1))
        by_block = np.argsort(block, kind="stable")  # keeps the proxy order inside a block
        block_s, proxy_s, group_s = block[by_block], proxy[by_block], group[by_block]
        is_low = (rank[by_block] >> bit) & 1 == 0
        low_before = np.concatenate(([0], np.cumsum(is_low)))  # before position i
        new_block = np.concatenate(([True], np.diff(block_s) != 0))
        new_tie = new_block | np.concatenate(([True], np.diff(proxy_s) != 0))
        block_start, block_end = _run_bounds(new_block)
        tie_start, tie_end = _run_bounds(new_tie)
        high = ~is_low
        below = low_before[tie_start] - low_before[block_start]
        tied = low_before[tie_end] - low_before[tie_start]
        inside = low_before[block_end] - low_before[block_start]
        concordant += np.bincount(
            group_s[high], weights=(below + 0.5 * tied)[high], minlength=n_groups
        )
        pairs += np.bincount(
            group_s[high], weights=inside[high].astype(np.float64), minlength=n_groups
        )
    return concordant, pairs


def _run_bounds(new_run: np.ndarray) -> tuple[Ints, Ints]:
    """First position and one past the last of the run that each position belongs to."""
    starts = np.flatnonzero(new_run)
    run = np.cumsum(new_run) - 1
    ends = np.append(starts[1:], new_run.size)
    return starts[run].astype(np.int64), ends[run].astype(np.int64)


def _pearson(x: Floats, y: Floats, raw_x: Floats, raw_y: Floats) -> float | None:
    """Correlation of centered values; None where what is left is rounding of the raw ones."""
    size_x, size_y = float(np.linalg.norm(x)), float(np.linalg.norm(y))
    noise = 1e-12
    if size_x <= noise * np.linalg.norm(raw_x) or size_y <= noise * np.linalg.norm(raw_y):
        return None
    return float(np.clip((x / size_x) @ (y / size_y), -1.0, 1.0))
