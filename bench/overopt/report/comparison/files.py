"""A comparison as files: CSV, JSON, and a compact LaTeX table of each contest."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overopt.report.comparison.comparison import Comparison
from overopt.report.comparison.contest import ALPHA, Ranking
from overopt.report.comparison.frames import pair_row, setting, show_ranking, standing_rows
from overopt.report.comparison.words import verdict
from overopt.report.tables.text import escape_latex, write_csv
from overopt.stats.comparisons.power import POWER


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write all files into a folder that exists; returns their paths."""
    (folder / "compare.json").write_text(comparison_json(comparison), encoding="utf-8")
    (folder / "compare.tex").write_text(comparison_latex(comparison), encoding="utf-8")
    return [
        write_csv(comparison.table, folder / "compare.csv"),
        write_csv(comparison.pairs, folder / "pairs.csv"),
        write_csv(comparison.profiles, folder / "profiles.csv"),
        folder / "compare.json",
        folder / "compare.tex",
    ]


def comparison_json(comparison: Comparison) -> str:
    """All contests with their methods and pairs as one JSON object."""
    values = _as_json(comparison.rankings, comparison.notes)
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def comparison_latex(comparison: Comparison) -> str:
    """One table per contest for the LaTeX package booktabs, each with a label of its own."""
    labels: dict[str, int] = {}
    parts = ["% needs \\usepackage{booktabs}"]
    for one in comparison.rankings:
        label = _label(one)
        labels[label] = labels.get(label, 0) + 1
        suffix = f"-{labels[label]}" if labels[label] > 1 else ""
        parts.append(_table(one, f"tab:compare-{label}{suffix}"))
    return "\n".join(parts) + "\n"


def _label(ranking: Ranking) -> str:
    contest = ranking.contest
    words = (contest.task, contest.proxy, f"noise {contest.noise}",
             f"world {' '.join(map(str, sorted(contest.seeds_of)))}")  # fmt: skip
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def _table(ranking: Ranking, label: str) -> str:
    shown = show_ranking(ranking)
    reference = ranking.reference
    against = ranking.baseline
    bold = _bold(ranking)
    to = f"$\\Delta$ to {escape_latex(reference.method)}" if reference else "$\\Delta$"
    rank = ("rank",) if against is None else ()
    head = ("method", escape_latex(shown.header[1]), *rank, to, "$p$")
    rows = []
    for one, row in zip(ranking.standings, shown.rows, strict=True):
        cells = {name: escape_latex(cell) for name, cell in zip(shown.header, row, strict=True)}
        name, score, *rest = cells.values()
        if one.method in bold:
            name, score = f"\\textbf{{{name}}}", f"\\textbf{{{score}}}"
        if against is None and one.ranks:
            name += f"$^{{\\mathrm{{{cells['ties']}}}}}$"
        own = (name, score, *rest[: len(rank)])
        difference = cells[f"to {reference.method}" if reference else "to best"]
        rows.append(" & ".join((*own, difference, cells["p (Holm)"])) + " \\\\")
    caption = f"{ranking.contest.title}, compared {ranking.question.where}. " + (
        "Bold: the best, and those to which no difference is shown; methods that share a letter "
        "are not told apart. Ranks: what the tests leave open. p: after Holm's correction over "
        "all pairs."
        if against is None
        else f"Bold: shown to be better than {against}. p: after Holm's correction over all "
        f"comparisons with {against}."
    )
    lines = [
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{escape_latex(caption)}}}",
        f"\\label{{{label}}}",
        f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        "\\toprule",
        " & ".join(head) + " \\\\",
        "\\midrule",
        *rows,
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(lines)


def _bold(ranking: Ranking) -> set[str]:
    """The best and what no difference to it is shown of; or what is better than the baseline."""
    if ranking.baseline is not None:
        return {pair.first for pair in ranking.pairs if pair.differs} - {ranking.baseline}
    top = ranking.ranked[0].method if ranking.ranked else None
    names = [one.method for one in ranking.ranked]
    return {name for name in names if name == top or not ranking.pair(name, str(top)).differs}


def _as_json(rankings: Sequence[Ranking], notes: Sequence[str]) -> dict[str, Any]:
    """Everything as JSON values; None for what is missing."""
    return {
        "alpha": ALPHA,
        "power": POWER,
        "notes": list(notes),
        "contests": [
            {
                **setting(one),
                "correction": "Holm, over all pairs"
                if one.baseline is None
                else f"Holm, over the pairs with {one.baseline}",
                "title": one.contest.title,
                "verdict": verdict(one),
                "exploratory": one.exploratory,
                "methods": [_plain(row) for row in standing_rows(one)],
                "pairs": [_plain(pair_row(pair)) for pair in one.pairs],
            }
            for one in rankings
        ],
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in row.items()
    }
