"""Tables as text: what the terminal, the page, CSV and LaTeX show of scores, fits and gaps.

A ``TextTable`` holds finished words; only the writers below know a format. Missing values are
shown as an en dash, never as a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from overopt.report.curves import Group, estimator_name, group_points
from overopt.report.points import add_labels, check_points
from overopt.report.results import Results
from overopt.stats.holdout import Split
from overopt.stats.intervals import Interval

if TYPE_CHECKING:
    from rich.table import Table

MISSING = "–"


@dataclass(frozen=True)
class TextTable:
    """A table of finished words.

    Attributes:
        name: stem of its file.
        title: one line.
        header: column titles.
        rows: cells, as many per row as columns.
        words: how many leading columns are names; the rest are numbers, aligned right.
        note: how to read it; may be empty.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int
    note: str = ""


def run_table(points: pd.DataFrame) -> Table:
    """The table that ends ``bench run``: one row per group.

    Args:
        points: rows in the columns of ``points.csv``, with or without the labels of ``Results``.

    Raises:
        UserError: when a column is missing or unknown.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    checked = check_points(points, "the points")
    if "version" in points.columns:
        checked["version"] = points["version"].to_numpy()
    shown = summarize(group_points(add_labels(checked)))
    *header, _ = shown.header
    caption = "\n".join([shown.note, *_gather_notes(shown)])
    table = RichTable(box=SIMPLE_HEAD, title=shown.title, caption=Text(caption),
                      title_justify="left", caption_justify="left", title_style="bold",
                      padding=(0, 1, 0, 0), show_edge=False)  # fmt: skip
    rows = [[cell.replace(" ± ", "±") for cell in row[:-1]] for row in shown.rows]
    for number, name in enumerate(header):
        words = number < shown.words
        side: Literal["left", "right"] = "left" if words else "right"
        # on a narrow screen names are broken into lines; a number is never cut
        width = max(len(row[number]) for row in [header, *rows])
        table.add_column(Text(name), justify=side, no_wrap=not words, overflow="fold",
                         min_width=None if words else width)  # fmt: skip
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _gather_notes(shown: TextTable) -> list[str]:
    """The last column's notes, each once with the rows that it is about, or "all"."""
    rows_of: dict[str, list[tuple[str, ...]]] = {}
    for row in shown.rows:
        for note in filter(None, row[-1].split("; ")):
            rows_of.setdefault(note, []).append(row[: shown.words])
    everything = [row[: shown.words] for row in shown.rows]
    return [f"{note}: {_name_rows(rows, everything)}" for note, rows in rows_of.items()]


def _name_rows(rows: list[tuple[str, ...]], everything: list[tuple[str, ...]]) -> str:
    """The rows by name; all of them, or all of one method, in short."""
    if len(rows) == len(everything):
        return "all"
    names: dict[str, None] = {}
    for row in rows:
        kin = [other for other in everything if other[0] == row[0]]
        whole = len(kin) > 1 and all(other in rows for other in kin)
        names[f"every {row[0]}" if whole else " ".join(row)] = None
    return ", ".join(names)


def summarize(groups: Sequence[Group]) -> TextTable:
    """One row per group: how far it got, gold at its highest and at the end, what is missing."""
    several = len({group.task for group in groups}) > 1
    rows = []
    for group in groups:
        gold, proxy = group.mean_curve("gold"), group.mean_curve("proxy")
        moved = [one for one in gold if one.kl_nats > 0]
        best = max(moved, key=lambda one: one.score.mean or 0.0, default=None)
        cells = [group.task] if several else []
        cells += [group.method, group.proxy, group.noise, f"{len(group.seeds)}/{group.n_seeds}"]
        for mean in (best, moved[-1] if moved else None):
            cells += [_plus_minus(mean.score), f"{mean.kl_nats:.3g}"] if mean else [MISSING] * 2
        cells += [_plus_minus(proxy[-1].score) if moved and proxy else MISSING]
        rows.append((*cells, "; ".join(describe_group(group))))
    estimators = sorted({e for group in groups for e in group.estimator.split("+") if e})
    return TextTable(
        name="summary",
        title="Gold and proxy in SDs of the initial policy, 95 % t interval over seeds",
        header=(
            *(("task",) if several else ()),
            *("method", "proxy", "noise", "seeds"),
            *("best gold", "at KL", "last gold", "at KL", "last proxy", "notes"),
        ),
        rows=tuple(rows),
        words=4 if several else 3,
        note=f"KL in nats per response: {estimator_name('+'.join(estimators)) or 'not measured'}. "
        "The highest of several means is biased upwards; the tests of rise and fall are not.",
    )


def describe_group(group: Group) -> list[str]:
    """What is missing from a group, in words."""
    notes = []
    nobody = [one for one in group.unreached if one.n_seeds >= group.n_seeds]
    some = [one for one in group.unreached if one.n_seeds < group.n_seeds]
    for missed, words in ((nobody, "out of reach"), (some, "missed by some seeds")):
        if missed:
            budgets = ", ".join(f"{one.kl_target_nats:g}" for one in missed)
            notes.append(f"{budgets} nats {words}")
    if group.failures:
        seeds = ", ".join(str(failure.seed) for failure in group.failures)
        notes.append(f"failed: seed {seeds}")
    if group.n_negative:
        notes.append(f"{group.n_negative} points with KL below 0 left out")
    if group.exploratory:
        notes.append("exploratory")
    return notes


def show_scores(scores: pd.DataFrame) -> TextTable:
    """Scores of every group for readers."""
    several = scores["task"].nunique() > 1
    rows = [
        (
            *_names(row, several),
            _seeds(row),
            _spread(row, "gold_at_peak", 2),
            show_number(row["kl_at_peak_nats"], 1),
            _spread(row, "gold_at_end", 2),
            show_number(row["kl_at_end_nats"], 1),
            _spread(row, "gamma", 2) + _part(row, "gamma_seeds"),
            _spread(row, "regret_at_peak", 2) + _part(row, "regret_seeds"),
            _spread(row, "hypervolume", 2),
        )
        for row in scores.to_dict("records")
    ]
    limits = sorted(set(scores["hypervolume_kl_max_nats"].dropna()))
    upto = ", ".join(f"{limit:g}" for limit in limits)
    return TextTable(
        name="scores",
        title="Scores",
        header=(
            *("method", "proxy", "noise", "seeds", "gold at peak", "KL at peak", "gold at end"),
            *("KL at end", "γ", "regret at peak", "hypervolume"),
        ),
        rows=tuple(rows),
        words=3,
        note="Means over seeds with 95 % t intervals. Gold in SDs of the initial policy, KL in "
        "nats. Gold at peak is the highest measured point of a seed and so biased upwards. "
        "γ: area between the fitted proxy and gold curves over the area under the proxy's; "
        "0 is faithful, 1 means that nothing was gained. Regret: what the best policy of that KL "
        "has more. Hypervolume: area under the gold-KL front as a share of the oracle's"
        + (f", up to {upto} nats." if upto else "; no oracle front was stored.")
        + _exploratory_note(scores),
    )


def show_fits(fits: pd.DataFrame) -> TextTable:
    """Fits of every group and form for readers."""
    several = fits["task"].nunique() > 1
    rows = []
    for row in fits.to_dict("records"):
        peak = MISSING
        if row["peak"] == "in range":
            peak = f"{_spread(row, 'peak_d', 2)} ({row['peak_seeds']} of {row['seeds']})"
        elif row["peak"]:
            peak = str(row["peak"])
        rows.append(
            (
                *_names(row, several),
                str(row["formula"]),
                _seeds(row),
                _spread(row, "a", 2),
                _spread(row, "b", 2),
                show_number(row["rmse"], 3),
                show_number(row["delta_aicc"], 1),
                _beside_constant(row, Split.WITH_PEAK),
                _beside_constant(row, Split.BEFORE_PEAK),
                peak,
                _spread(row, "peak_height", 2),
                _left_out(row),
            )
        )
    return TextTable(
        name="fits",
        title="Functional forms",
        header=(
            *("method", "proxy", "noise", "form", "seeds", "a", "b", "RMSE", "ΔAICc"),
            *("held-out RMSE, peak fitted (constant)", "held-out RMSE, peak ahead (constant)"),
            *("peak d (seeds)", "peak height", "left out"),
        ),
        rows=tuple(rows),
        words=4,
        note="Fitted to each seed's gold (SDs) on measured KL, d = √KL in √nats; means with 95 % t "
        "intervals over seeds. ΔAICc: 0 for the form that AICc prefers in its group. Held-out "
        "RMSE: error beyond the fitted points, in brackets that of staying at the last of them. "
        "Peak fitted: up to the peak and half of what is beyond; peak ahead: only what is before "
        "it. Peak: over the seeds that have one in range." + _exploratory_note(fits),
    )


def show_contrasts(results: Results) -> TextTable:
    """Stored rise and fall tests of all runs for readers; what several runs agree on, once."""
    rows = []
    several = results.points.groupby("task_label")["world"].nunique().max() > 1
    for label, run in results.labeled_runs():
        for row in run.contrasts.to_dict("records"):
            method = f"{label}, world {row['world']:g}" if several else label
            size = (
                row["proxy_start"] or MISSING,
                *(show_number(row[name], 0) for name in ("proxy_width", "comparisons")),
            )
            rows.append(
                (
                    method,
                    str(row["proxy"]),
                    str(row["noise"]),
                    "/".join(size),
                    show_number(row["seeds"], 0),
                    _verdict(row),
                    f"{row['peak_kl_target_nats']:.3g}",
                    *(
                        _contrast(row, name, over)
                        for name in ("rise", "fall")
                        for over in ("seeds", "prompts")
                    ),
                )
            )
    sizes = {row[3] for row in rows}
    drop = 3 if len(sizes) <= 1 else None
    header = (
        *(
            "method",
            "proxy",
            "noise",
            "start/width/pairs",
            "seeds",
            "verdict",
            "peak budget (nats)",
        ),
        *("rise, over seeds", "rise, over prompts", "fall, over seeds", "fall, over prompts"),
    )
    return TextTable(
        name="contrasts",
        title="Does gold rise, and does it fall again?",
        header=_without(header, drop),
        rows=tuple(sorted({_without(row, drop) for row in rows})),
        words=6 if drop is None else 5,
        note="Paired tests as stored with the runs: the peak budget is chosen on other data than "
        "it is tested on; rise is gold at the peak minus initial gold, fall is gold at the last "
        "budget minus gold at the peak, in SDs of the initial policy. A verdict needs both "
        "intervals to exclude 0 (with one seed, the one over prompts). A dash: the peak is at the "
        "last budget that all seeds reached.",
    )


def show_gaps(groups: Sequence[Group]) -> TextTable:
    """Everything that is missing from the curves."""
    several = len({group.task for group in groups}) > 1
    rows = [
        (
            f"{group.task}: {group.method}" if several else group.method,
            group.proxy,
            group.noise,
            note,
        )
        for group in groups
        for note in describe_group(group)
        if note != "exploratory"
    ]
    return TextTable(
        name="gaps",
        title="What is missing",
        header=("method", "proxy", "noise", "what"),
        rows=tuple(rows),
        words=4,
        note="Budgets out of reach and failed cells are part of the result; they are not drawn.",
    )


def write_csv(table: pd.DataFrame, path: Path) -> Path:
    """A tidy table in full precision; an empty cell is a missing value."""
    path.write_bytes(table.to_csv(index=False, lineterminator="\n").encode())
    return path


def write_latex(table: TextTable, path: Path) -> Path:
    """A table for the LaTeX packages booktabs and longtable; names are escaped."""
    spec = "l" * table.words + "r" * (len(table.header) - table.words)
    head = " & ".join(escape_latex(name) for name in table.header)
    lines = [
        "% needs \\usepackage{booktabs, longtable}",
        f"\\begin{{longtable}}{{{spec}}}",
        f"\\caption{{{escape_latex(f'{table.title}. {table.note}')}}}\\\\",
        "\\toprule",
        f"{head} \\\\",
        "\\midrule",
        "\\endhead",
        *(" & ".join(escape_latex(cell) for cell in row) + " \\\\" for row in table.rows),
        "\\bottomrule",
        "\\end{longtable}",
    ]
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return path


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "−": "$-$", "√": r"$\sqrt{}$", "×": r"$\times$", "γ": r"$\gamma$", "Δ": r"$\Delta$",
    "²": r"$^2$", "–": "--", "[": "{[}", "]": "{]}",
}  # fmt: skip


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands; control characters become spaces."""
    return "".join(_LATEX.get(letter, letter if letter.isprintable() else " ") for letter in text)


def show_number(value: Any, digits: int) -> str:
    """A number with fixed digits and a true minus sign, or the sign for missing."""
    if value is None or pd.isna(value):
        return MISSING
    text = f"{float(value):.{digits}f}"
    return text.replace("-", "−") if float(text) else text.replace("-", "")


def _plus_minus(interval: Interval) -> str:
    """``mean ± half width``, the interval being symmetric."""
    middle = show_number(interval.mean, 2)
    if interval.high is None or interval.mean is None:
        return middle
    return f"{middle} ± {interval.high - interval.mean:.2f}"


def _spread(row: dict[Any, Any], name: str, digits: int) -> str:
    middle = show_number(row[name], digits)
    low, high = show_number(row[f"{name}_low"], digits), show_number(row[f"{name}_high"], digits)
    return middle if low == MISSING else f"{middle} [{low}, {high}]"


def _names(row: dict[Any, Any], several_tasks: bool) -> tuple[str, str, str]:
    method = f"{row['task']}: {row['method']}" if several_tasks else str(row["method"])
    return method, str(row["proxy"]), str(row["noise"])


def _part(row: dict[Any, Any], name: str) -> str:
    """How many seeds a mean is over, where it is not all that were measured."""
    return f" ({row[name]} of {row['seeds']})" if 0 < row[name] < row["seeds"] else ""


def _seeds(row: dict[Any, Any]) -> str:
    mark = "†" if row["exploratory"] else ""
    return f"{row['seeds']}/{row['seeds_run']}{mark}"


def _beside_constant(row: dict[Any, Any], split: Split) -> str:
    """A held-out error with that of a constant, and over how many of the fitted seeds it is."""
    if not row[f"{split}_seeds"]:
        return MISSING
    form, constant = (show_number(row[f"{split}_{name}"], 3) for name in ("rmse", "constant_rmse"))
    return f"{form} ({constant})" + _part(row, f"{split}_seeds")


def _left_out(row: dict[Any, Any]) -> str:
    """Why seeds are missing from a fit or from its held-out errors."""
    notes = {
        "": row["note"],
        "peak fitted: ": row[f"{Split.WITH_PEAK}_note"],
        "peak ahead: ": row[f"{Split.BEFORE_PEAK}_note"],
    }
    return "; ".join(
        f"{where}{note}"
        for where, note in notes.items()
        if note and (not where or note != notes[""])
    )


def _exploratory_note(table: pd.DataFrame) -> str:
    return " † Exploratory: fewer than 5 seeds." if bool(table["exploratory"].any()) else ""


def _verdict(row: dict[Any, Any]) -> str:
    words = {
        (True, True): "rises, then falls",
        (True, False): "rises, no fall shown",
        (False, True): "falls, no rise shown",
        (False, False): "neither shown",
    }[bool(row["rises"]), bool(row["falls"])]
    return f"{words} (exploratory)" if row["exploratory"] else words


def _contrast(row: dict[Any, Any], name: str, over: str) -> str:
    if all(row[f"{name}_{part}"] == 0 for part in ("mean", f"{over}_low", f"{over}_high")):
        return MISSING  # a point less itself: nothing was compared
    middle = show_number(row[f"{name}_mean"], 2)
    low, high = (show_number(row[f"{name}_{over}_{side}"], 2) for side in ("low", "high"))
    return middle if MISSING in (low, high) else f"{middle} [{low}, {high}]"


def _without(cells: tuple[str, ...], index: int | None) -> tuple[str, ...]:
    return cells if index is None else (*cells[:index], *cells[index + 1 :])
