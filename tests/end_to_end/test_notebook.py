"""The notebook is its paired script, and runs from top to bottom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import pytest
from nbclient import NotebookClient

ROOM = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="module")
def notebook() -> Any:
    return jupytext.read(ROOM / "quickstart.ipynb")


def test_the_pair_holds_the_same_cells(notebook: Any) -> None:
    script = jupytext.read(ROOM / "quickstart.py")
    cells = [(cell.cell_type, cell.source) for cell in notebook.cells]
    assert cells == [(cell.cell_type, cell.source) for cell in script.cells]


def test_it_runs_and_shows_a_table_and_two_figures(
    notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVEROPT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    shown = [
        set(output.data)
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    assert sum("image/png" in kinds for kinds in shown) == 2
    assert sum("text/html" in kinds for kinds in shown) == 1
    runs = sorted(path.parent.name for path in tmp_path.glob("quickstart-results/tabular/*/*"))
    assert runs == ["bon", "rloo"]
