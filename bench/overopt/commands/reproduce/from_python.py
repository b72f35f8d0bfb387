"""``overopt.judge``: the verdicts of ``bench reproduce`` on stored runs, as a table and figures."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from matplotlib.figure import Figure

from overopt.commands.arguments import resolve
from overopt.commands.reproduce.reproduce import judge_measured, measured_of, specs_of, stored
from overopt.errors import UserError
from overopt.papers.contract.paper import Scale
from overopt.papers.shelf import find
from overopt.report.verdicts.arms import Measured
from overopt.report.verdicts.claims import NOT_RUN, Verdict
from overopt.report.verdicts.shown.drawing import can_draw, draw_figure
from overopt.report.verdicts.shown.page import Judged
from overopt.report.verdicts.shown.tables import (
    count,
    show_effect,
    show_seeds,
    show_verdict,
    tidy_row,
)


def judge(paper: str, *results: str | PathLike[str], scale: Scale = "standard") -> Judgment:
    """Judge every claim of a paper from stored runs, as ``bench reproduce --results`` does.

    Nothing runs and nothing is written. Claims whose runs are not stored are *not run here*; those
    that are exact are computed.

    Args:
        paper: a name of ``bench reproduce list``.
        results: folders that hold runs, such as ``"results/matrix"``.
        scale: the grid whose runs are looked for: ``smoke``, ``standard`` or ``full``.

    Returns:
        Verdicts as a table, and the paper's figures.

    Raises:
        UserError: no such paper or scale, or a folder that is not there or is damaged.
    """
    if scale not in get_args(Scale):
        raise UserError(f"scale = {scale!r}: choose {', '.join(get_args(Scale))}.")
    found = find(paper)
    there = stored([Path(place) for place in results])
    left_out: list[str] = []
    specs = specs_of(found, scale, resolve)
    measured = measured_of(specs, found.grids[scale], there, left_out.append)
    return Judgment(judge_measured(found, scale, measured), measured, tuple(left_out))


@dataclass(frozen=True, repr=False)
class Judgment:
    """What a paper's claims came to; a notebook shows it as two tables.

    Attributes:
        paper: the paper with its verdicts.
        measured: what the verdicts and figures are made of.
        left_out: runs of other versions that could not be read, and why.
    """

    paper: Judged
    measured: Measured
    left_out: tuple[str, ...] = ()

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row per claim, with the columns of ``verdicts.csv``; NaN or None: missing."""
        rows = [tidy_row(self.paper.name, one) for one in self.paper.verdicts]
        return pd.DataFrame(rows).set_index("claim")

    @property
    def counts(self) -> dict[str, int]:
        """How many claims came to each verdict."""
        return count(self.paper.verdicts)

    @property
    def figures(self) -> dict[str, str]:
        """Name and subject of every figure that stored runs have a curve of."""
        return {one.name: one.of for one in self.paper.figures if can_draw(one, self.measured)}

    def draw(self, figure: str) -> Figure:
        """One of the paper's figures, drawn again.

        Raises:
            UserError: it has none of that name, or none of its runs is stored.
        """
        return self._drawn(figure)[0]

    def caption(self, figure: str) -> str:
        """What a figure shows: estimator, seeds, band, and the curves that were not run."""
        return self._drawn(figure)[1]

    def _drawn(self, name: str) -> tuple[Figure, str]:
        for one in self.paper.figures:
            if one.name == name and can_draw(one, self.measured):
                return draw_figure(one, self.measured)
        there = ", ".join(self.figures) or "none"
        raise UserError(
            f"figure {name!r} of {self.paper.name}: the stored runs hold no curve of it; "
            f"they hold those of: {there}."
        )

    def __repr__(self) -> str:
        told = ", ".join(f"{number} {verdict}" for verdict, number in self.counts.items() if number)
        return f"{self.paper.name}, {self.paper.scale} grid: {told}"

    def _repr_html_(self) -> str:
        """Claims that have a verdict, then those that were not run and what they wait for."""
        judged = [one for one in self.paper.verdicts if one.verdict != NOT_RUN]
        waiting = [one for one in self.paper.verdicts if one.verdict == NOT_RUN]
        parts = [f"<p>{escape(repr(self))} ({escape(self.paper.setting)})</p>"]
        parts += [_html([_shown(one) for one in judged])] if judged else []
        rows = [
            {"claim": one.claim.id, "not run here": one.claim.relation, "because": one.reason}
            for one in waiting
        ]
        parts += [_html(rows)] if rows else []
        return "\n".join(parts)


def _shown(one: Verdict) -> dict[str, Any]:
    return {
        "claim": one.claim.id,
        "verdict": show_verdict(one),
        "effect [95 % interval]": show_effect(one),
        "behind it": show_seeds(one),
        "what is claimed": one.claim.relation,
        "what to know": one.reason,
    }


def _html(rows: list[dict[str, Any]]) -> str:
    """A table whose texts are not cut."""
    with pd.option_context("display.max_colwidth", None):
        return str(pd.DataFrame(rows).to_html(index=False, border=0, justify="left"))
