"""Tables of verdicts: tidy rows, JSON and what a terminal shows."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from overopt.report.tables.text import show_spread
from overopt.report.verdicts.claims import VERDICTS, Verdict
from overopt.stats.verdicts.evidence import Estimate

COLUMNS = (
    "paper", "claim", "verdict", "exploratory", "effect", "low", "high", "p_holm", "seeds",
    "worlds", "relation", "reported", "where", "rule", "reason",
)  # fmt: skip


def tidy_row(paper: str, one: Verdict) -> dict[str, Any]:
    """One verdict as plain values; None for what is missing."""
    return {
        "paper": paper,
        "claim": one.claim.id,
        "verdict": one.verdict,
        "exploratory": one.exploratory,
        "effect": one.effect,
        "low": one.low,
        "high": one.high,
        "p_holm": one.p_holm,
        "seeds": one.n_seeds,
        "worlds": " ".join(map(str, one.worlds)),
        "relation": one.claim.relation,
        "reported": one.claim.reported,
        "where": one.claim.where,
        "rule": one.claim.words,
        "reason": one.reason,
    }


def verdicts_csv(paper: str, verdicts: Sequence[Verdict]) -> str:
    """Verdicts as CSV; an empty cell is a missing value."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in verdicts:
        row = {name: "" if value is None else value for name, value in tidy_row(paper, one).items()}
        writer.writerow(row)
    return text.getvalue()


def verdicts_json(paper: str, title: str, url: str, scale: str, verdicts: Sequence[Verdict]) -> str:
    """Verdicts as JSON, with every test that a claim consists of."""
    claims = []
    for one in verdicts:
        row = tidy_row(paper, one)
        row["tests"] = [
            {
                "name": part.name,
                "effect": part.estimate.mean,
                "interval": part.estimate.bounds,
                "over": part.estimate.over,
                "shows": part.side,
                "note": part.note,
            }
            for part in (one.evidence.parts if one.evidence else ())
        ]
        claims.append(row)
    value = {
        "format": 1,
        "paper": paper,
        "title": title,
        "url": url,
        "scale": scale,
        "counts": count(verdicts),
        "claims": claims,
    }
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def count(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many of each verdict, none left out."""
    found = [one.verdict for one in verdicts]
    return {verdict: found.count(verdict) for verdict in VERDICTS}


def show_effect(one: Verdict) -> str:
    """The effect with its interval; empty where nothing was measured or it is exact."""
    if one.effect is None or one.checked is not None:
        return ""
    return show_spread(one.effect, one.low, one.high, 2)


def show_estimate(one: Estimate) -> str:
    """A mean with its interval, where it has one."""
    low, high = one.bounds or (None, None)
    return show_spread(one.mean, low, high, 2)


def show_seeds(one: Verdict) -> str:
    """Seeds and worlds behind a verdict."""
    if one.checked is not None:
        return "exact"
    if not one.worlds:
        return f"{one.n_seeds} draws" if one.n_seeds else ""
    worlds = f"{len(one.worlds)} world{'' if len(one.worlds) == 1 else 's'}"
    return f"{one.n_seeds} seeds × {worlds}"


def show_verdict(one: Verdict) -> str:
    """The verdict in words."""
    return f"{one.verdict} (exploratory)" if one.exploratory else one.verdict


STYLES = {
    "reproduced": "bold green",
    "partly reproduced": "bold green",
    "contradicted": "bold red",
    "not resolved at this scale": "yellow",
}


def terminal_table(title: str, verdicts: Sequence[Verdict]) -> Table:
    """All claims of one paper: verdict, effect and seeds, then what is claimed, and why."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict")
    for one in verdicts:
        numbers = [show_effect(one), show_seeds(one)]
        told = Text(show_verdict(one), style=STYLES.get(one.verdict, "bold"))
        told.append("".join(f"   {number}" for number in numbers if number), style="not bold")
        told.append(f"\n{one.claim.relation}", style="none")
        if one.reason:
            told.append(f"\n{one.reason}", style="dim")
        table.add_row(one.claim.id, told)
    return table
