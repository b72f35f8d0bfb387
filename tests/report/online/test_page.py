"""The page of online methods: planted costs, planted divergence, and the committed page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from comparison.drawn import write_run
from overopt.errors import UserError
from overopt.report.online.costs import RelativeCost, relative_costs
from overopt.report.online.page import MARKER, online, page


def priced(method: str, seeds: int, kl_nats: float, costs: tuple[float, ...]) -> dict[str, object]:
    samples, tokens, steps = costs
    return {
        "method": method, "kl_target_nats": kl_nats, "seeds": seeds, "seeds_run": 5,
        "samples_drawn": samples, "tokens_processed": tokens, "gradient_steps": steps,
    }  # fmt: skip


def test_costs_are_read_at_the_largest_budget_that_all_seeds_of_both_met() -> None:
    rows = [
        priced("rloo", 5, 2.0, (100.0, 1000.0, 0.0)),
        priced("rloo", 5, 4.0, (200.0, 2000.0, 0.0)),
        priced("rloo", 5, 8.0, (400.0, 4000.0, 0.0)),
        priced("dear", 5, 2.0, (300.0, 9000.0, 7.0)),
        priced("dear", 5, 4.0, (800.0, 9000.0, 7.0)),
        priced("dear", 4, 8.0, (1.0, 1.0, 7.0)),
        priced("cheap", 5, 2.0, (float("nan"), 500.0, 7.0)),
        priced("never", 3, 2.0, (1.0, 1.0, 1.0)),
    ]
    assert relative_costs(pd.DataFrame(rows), "rloo") == [
        RelativeCost("cheap", 2.0, (None, 0.5, None)),
        RelativeCost("dear", 4.0, (4.0, 4.5, None)),
        RelativeCost("never", None, (None, None, None)),
    ]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A method that fails in a seed, one that learns no proxy, and one where no baseline is."""
    root = tmp_path_factory.mktemp("results")
    write_run(root / "matrix", "rloo", 0.3)
    write_run(root / "matrix", "raft", 0.4, family="iterative", failed=(2,))
    write_run(root / "matrix", "dpo", 0.4, family="pairs")
    write_run(root / "matrix", "alone", 0.4, proxy="prm")
    write_run(root / "stability", "grpo", 0.4, seeds=range(20), failed=(3, 4))
    return root


def test_online_methods_that_meet_the_baseline_are_told(results: Path) -> None:
    told = online(results)
    matrix, _, twenty = told.partition("## Twenty seeds")
    assert "### drawn, world 0, single, noise 0\n" in matrix
    assert "| raft | 1/5 | 1 % to 72 % | 1 | 0 | 0.0 |" in matrix
    assert "| rloo | 0/5 | 0 % to 52 % | 0 | 0 | 0.0 |" in matrix
    assert "Seeds that diverge: 1 of 10." in matrix
    assert "| dpo" not in told and "alone" not in told
    assert "No budget that every seed of it and of rloo met: raft." in matrix
    assert "| grpo | 2/20 |" in twenty and "Seeds that diverge: 2 of 20." in twenty


def test_the_page_is_written_below_its_marker(results: Path) -> None:
    made = page(f"Words.\n{MARKER}\nstale", results)
    assert made.startswith(f"Words.\n{MARKER}\n\n## Cost relative to rloo") and "stale" not in made
    assert page(made, results) == made
    with pytest.raises(UserError, match="lacks its marker"):
        page("Words.", results)
