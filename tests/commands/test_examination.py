"""What ``bench examine`` prints."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rich.console import Console

from overopt.commands.examination.examine import _table
from overopt.report.stored.exams import CELL


def test_a_mean_over_fewer_seeds_says_so() -> None:
    cell = {**dict.fromkeys(CELL, 0), "proxy": "single", "exam": "home", "number": 3}
    rows = [
        {**cell, "seed": seed, "of": of, "value": value}
        for of, values in (("mean over pairs", (0.5, np.nan)), ("all wins", (0.2, 0.3)))
        for seed, value in enumerate(values)
    ]
    console = Console(width=90, record=True)
    console.print(_table(pd.DataFrame(rows)))
    pairs, all_wins = (line for line in console.export_text().splitlines() if "home" in line)
    assert "0.500 (1 of 2)" in pairs
    assert "0.250" in all_wins and "of 2" not in all_wins
