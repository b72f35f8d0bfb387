"""The transfer table: on the screen, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from overopt.errors import printable
from overopt.report.comparison.transferred import Transfer

if TYPE_CHECKING:
    from rich.table import Table


def transfer_table(found: Transfer) -> Table:
    """Gold of every system in both tasks, the best one here first, with its number of seeds."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    title = f"Gold of proxies under {found.method}, noise {found.noise}, SDs of the initial policy"
    table = RichTable(box=SIMPLE_HEAD, title=printable(title), title_justify="left",
                      show_edge=False, pad_edge=False)  # fmt: skip
    table.add_column("proxy")
    for task, kl in ((found.here, found.kl_here_nats), (found.there, found.kl_there_nats)):
        table.add_column(Text(printable(f"{task}, {kl:.3g} nats")), justify="right")
    for one in sorted(found.systems, key=lambda system: -float(system.here_S.mean())):
        cells = (f"{scores.mean():.2f} (n {len(scores)})" for scores in one[1:])
        table.add_row(Text(printable(one.proxy)), *cells)
    return table


def tell_transfer(found: Transfer) -> Sequence[str]:
    """The correlation in words, and what is missing."""
    tau = found.correlation
    if tau.tau is None or tau.low is None or tau.high is None or tau.p is None:
        return ["no rank correlation: all proxies have the same gold in one of the tasks"]
    shown = [
        f"Kendall's tau-b {tau.tau:.2f} over {tau.n_rows} proxies; 95 % interval over proxies and "
        f"seeds {tau.low:.2f} to {tau.high:.2f}; p {tau.p:.2g} of no association"
    ]
    if found.left_out:
        shown.append(f"in one of the folders only: {', '.join(found.left_out)}")
    return shown


def transfer_json(found: Sequence[Transfer]) -> dict[str, Any]:
    """All numbers."""
    return {"tables": [_record(one) for one in found]}


def _record(found: Transfer) -> dict[str, Any]:
    known = found._asdict()
    del known["correlation"]
    known["systems"] = [
        {"proxy": one.proxy, "here": one.here_S.tolist(), "there": one.there_T.tolist()}
        for one in found.systems
    ]
    return {**known, "left_out": list(found.left_out), **found.correlation._asdict()}
