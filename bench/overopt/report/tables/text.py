"""Tables as text: finished words, and how the page, LaTeX and CSV write them.

Missing values are shown as an en dash, never as a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

MISSING = "–"
_MOST_DIGITS = 6


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


def write_csv(table: pd.DataFrame, path: Path) -> Path:
    """A tidy table in full precision; an empty cell is a missing value.

    Texts that a spreadsheet would run as a formula get an apostrophe before them.
    """
    words = {
        name: [quote_formula(value) for value in table[name]]
        for name in table.columns
        if not pd.api.types.is_numeric_dtype(table[name])
    }
    table = table.assign(**words)
    path.write_bytes(table.to_csv(index=False, lineterminator="\n").encode())
    return path


def quote_formula(value: Any) -> Any:
    """A text that spreadsheets show and do not run; anything else as it is.

    Reference:
        OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection
    """
    formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if formula else value


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
    "²": r"$^2$", "→": r"$\to$", "–": "--", "[": "{[}", "]": "{]}",
}  # fmt: skip


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands; control characters become spaces."""
    return "".join(_LATEX.get(letter, letter if letter.isprintable() else " ") for letter in text)


def show_spread(mean: float, low: float | None, high: float | None, digits: int) -> str:
    """A mean with its interval, whose bounds are not shown as 0 where they are not.

    Args:
        mean: the number.
        low, high: the bounds of its interval; None for none.
        digits: behind the point, more where these would show nothing but zeros.
    """
    if low is None or high is None:
        return show_number(mean, digits)
    enough = (
        more
        for more in range(digits, _MOST_DIGITS)
        if all(round(x, more) for x in (low, high) if x)
    )
    digits = next(enough, _MOST_DIGITS)
    middle, least, most = (show_number(x, digits) for x in (mean, low, high))
    return f"{middle} [{least}, {most}]"


def show_number(value: Any, digits: int) -> str:
    """A number with fixed digits and a true minus sign, or the sign for missing."""
    if value is None or value is pd.NA or value != value:
        return MISSING
    text = f"{float(value):.{digits}f}"
    return text.replace("-", "−") if float(text) else text.replace("-", "")
