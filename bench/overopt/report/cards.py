"""The committed curve of every method and proxy, as one small table for ``bench show``.

    python -m overopt.report.cards results results/curves.csv

The table is made of stored results and of nothing else; a test makes it again and compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from overopt.report.group import Group
from overopt.report.groups import group_points
from overopt.report.stored.reading import read_results
from overopt.report.stored.run import Run
from overopt.report.stored.run_folder import published
from overopt.spec.columns import CARD_COLUMNS

_KEY = list(CARD_COLUMNS[:6])


def card_table(runs: Iterable[Run]) -> pd.DataFrame:
    """Gold along KL and what it costs: a row for each budget, in ``CARD_COLUMNS``.

    Only runs whose proxies have their task's own size, data and start have rows. Means are over
    the seeds of one world; ``seeds`` of them reached the budget, of ``seeds_run``. Samples and
    tokens are what a method drew and processed up to the budget, means over the same seeds. Where
    runs overlap, the one with more seeds is told.
    """
    rows = [row for run in runs if _as_declared(run.record) for row in _rows_of(run)]
    table = pd.DataFrame(rows, columns=list(CARD_COLUMNS))
    table = table.sort_values("seeds_run", ascending=False, kind="stable")
    return table.drop_duplicates(_KEY).sort_values(_KEY, ignore_index=True)


def _as_declared(record: Mapping[str, Any]) -> bool:
    """Whether nothing about the proxies was varied."""
    spec = record["spec"]
    proxy = spec["task"]["proxy"]
    architecture = proxy.get("architecture")
    start = "scratch" if architecture else "base" if proxy.get("base") else "policy"
    return bool(
        spec["engine"] == "native"
        and spec["proxy_starts"] == [start]
        and spec["proxy_widths"] == [architecture["width"] if architecture else None]
        and spec["comparisons"] == [proxy["comparisons"]]
    )


def _rows_of(run: Run) -> Iterator[dict[str, Any]]:
    points = run.points.assign(
        task_label=run.points["task"],
        method_label=run.points["method"],
        proxy_label=run.points["proxy"],
        version="",
        source=0,
    )
    for group in group_points(points, [run]):
        yield from _rows(group, points)


def _rows(group: Group, points: pd.DataFrame) -> Iterator[dict[str, Any]]:
    (world,) = group.worlds
    own = points[
        (points["world"] == world)
        & (points["task"] == group.task)
        & (points["method"] == group.method)
        & (points["proxy"] == group.proxy)
        & (points["noise"].astype(str) == group.noise)
        & (points["status"] == "ok")
    ]
    cost = own.groupby("kl_target_nats")[["samples_drawn", "tokens_processed"]].mean()
    for mean in group.means["gold"]:
        target = mean.kl_target_nats
        paid = cost.loc[target] if target is not None else None
        yield {
            "task": group.task,
            "world": world,
            "method": group.method,
            "proxy": group.proxy,
            "noise": group.noise,
            "kl_target_nats": target,
            "kl_nats": mean.achieved_kl_nats if target is not None else mean.kl_nats,
            "gold": mean.score.mean,
            "gold_low": mean.score.low,
            "gold_high": mean.score.high,
            "seeds": mean.score.n_seeds,
            "seeds_run": group.n_seeds,
            "samples": None if paid is None else paid["samples_drawn"],
            "tokens": None if paid is None else paid["tokens_processed"],
        }


def main(results: str, out: str) -> None:
    """Write the table of all runs below a folder."""
    table = card_table(read_results(published(Path(results))).runs)
    Path(out).write_text(table.to_csv(index=False, float_format="%.6g"), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
