"""A table of somebody's scored samples: what it must hold, and what becomes of its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overopt.stats.arrays import Floats, Groups, Ints, check_same_shape, group_rows
from overopt.stats.pools.best_of_n import rank_pools


@dataclass(frozen=True)
class ScoredTable:
    """Scored samples, one row each.

    Attributes:
        prompt_R: prompt id.
        sample_R: sample id, unique within a prompt.
        gold_R: gold score; NaN marks a missing one.
        proxies: proxy scores by name, each (R,); NaN marks a missing one.
    """

    prompt_R: NDArray[np.generic]
    sample_R: NDArray[np.generic]
    gold_R: Floats
    proxies: Mapping[str, Floats]


class RowCounts(NamedTuple):
    """What became of the rows for one proxy.

    Attributes:
        n_rows: rows in the table.
        n_missing_gold: rows dropped because gold is missing.
        n_missing_proxy: further rows dropped because this proxy is missing.
        n_used: rows used.
        n_prompts: prompts with at least one used row.
        n_prompts_lost: prompts of the table without a used row.
        n_tied: used rows whose proxy equals that of another used row of the same prompt.
        smallest_pool: fewest used rows of a prompt.
        median_pool: median of used rows over prompts, rounded down; the largest n of the curve.
        largest_pool: most used rows of a prompt.
    """

    n_rows: int
    n_missing_gold: int
    n_missing_proxy: int
    n_used: int
    n_prompts: int
    n_prompts_lost: int
    n_tied: int
    smallest_pool: int
    median_pool: int
    largest_pool: int


class OrderedRows(NamedTuple):
    """Rows of a table ordered by prompt and sample: the order, and numbered prompts in it."""

    order_R: Ints
    prompt_R: Ints


def order_rows(table: ScoredTable) -> OrderedRows:
    """Refuse a table that does not mean one thing; order its rows by prompt and sample.

    Raises:
        ValueError: if columns differ in length, a (prompt, sample) pair occurs twice, a score is
            infinite, or there is no proxy.
    """
    if not table.proxies:
        raise ValueError("the table has no proxy")
    check_same_shape(table.prompt_R, table.sample_R, "prompt and sample ids")
    for name, values in (("gold", table.gold_R), *table.proxies.items()):
        check_same_shape(table.prompt_R, values, f"prompt ids and {name}")
        if np.any(np.isinf(values)):
            raise ValueError(f"{name} has infinite values")
    prompt_R = group_rows(table.prompt_R).index_R
    sample_R = group_rows(table.sample_R).index_R
    order = np.lexsort((sample_R, prompt_R))
    twice = (np.diff(prompt_R[order]) == 0) & (np.diff(sample_R[order]) == 0)
    if twice.any():
        row = order[int(np.argmax(twice))]
        prompt, sample = table.prompt_R[row], table.sample_R[row]
        raise ValueError(f"sample {sample} of prompt {prompt} occurs more than once")
    return OrderedRows(np.asarray(order, np.int64), prompt_R[order])


@dataclass(frozen=True)
class UsedRows:
    """Rows that have both gold and one proxy.

    Attributes:
        prompt_R: number of each row's prompt.
        gold_R: gold of each row.
        proxy_R: proxy of each row.
        groups: rows by prompt.
        counts: rows used and dropped.
        selects: whether the proxy orders any two samples of a prompt.
    """

    prompt_R: Ints
    gold_R: Floats
    proxy_R: Floats
    groups: Groups
    counts: RowCounts
    selects: bool


def use_rows(name: str, prompt_R: Ints, gold_R: Floats, proxy_R: Floats) -> UsedRows:
    """Keep the rows that have gold and the proxy, and count the others.

    Args:
        name: of the proxy.
        prompt_R: number of each row's prompt.
        gold_R: gold; NaN marks a missing one.
        proxy_R: proxy, likewise.

    Raises:
        ValueError: if no row has both.
    """
    has_gold = ~np.isnan(gold_R)
    used = has_gold & ~np.isnan(proxy_R)
    if not used.any():
        raise ValueError(f"no row has both gold and {name}")
    prompt, proxy = prompt_R[used], proxy_R[used]
    groups = group_rows(prompt)
    tie_size_G = np.bincount(rank_pools(prompt, proxy).tie_R)
    counts = RowCounts(
        n_rows=used.size,
        n_missing_gold=int(np.count_nonzero(~has_gold)),
        n_missing_proxy=int(np.count_nonzero(has_gold & ~used)),
        n_used=int(np.count_nonzero(used)),
        n_prompts=groups.size_B.size,
        n_prompts_lost=np.unique(prompt_R).size - groups.size_B.size,
        n_tied=int(tie_size_G[tie_size_G > 1].sum()),
        smallest_pool=int(groups.size_B.min()),
        median_pool=int(np.median(groups.size_B)),
        largest_pool=int(groups.size_B.max()),
    )
    selects = tie_size_G.size > groups.size_B.size
    return UsedRows(prompt, gold_R[used], proxy, groups, counts, selects)


class Moments(NamedTuple):
    """Mean and standard deviation at n = 1, prompts weighing the same."""

    mean: float
    sd: float


def moments(groups: Groups, values_R: Floats) -> Moments:
    """Moments of one sample of a random prompt; constant values have a deviation of exactly 0."""
    weight_R = 1.0 / (groups.size_B[groups.index_R] * groups.size_B.size)
    mean = float(weight_R @ values_R)
    varies = values_R.min() < values_R.max()  # rounding leaves constant values a tiny deviation
    sd = float(np.sqrt(weight_R @ (values_R - mean) ** 2)) if varies else 0.0
    return Moments(mean, sd)
