"""Every paper has a notebook, which is its paired script and runs from committed results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import pytest
from nbclient import NotebookClient

from overopt.papers.shelf import find, names

ROOM = Path(__file__).parents[2] / "notebooks"
OTHERS = {"quickstart"}


def cells(text: str) -> str:
    """A percent script without its head, which names a version of jupytext."""
    return text[text.index("# %%") :]


def test_each_paper_has_a_pair() -> None:
    for ending in ("py", "ipynb"):
        assert {path.stem for path in ROOM.glob(f"*.{ending}")} == {*names(), *OTHERS}


def test_pairs_are_in_sync_and_hold_no_outputs() -> None:
    for name in names():
        notebook, script = jupytext.read(ROOM / f"{name}.ipynb"), ROOM / f"{name}.py"
        text = script.read_text(encoding="utf-8")
        told = f"jupytext --sync notebooks/{name}.py"
        assert cells(jupytext.writes(notebook, fmt="py:percent")) == cells(text), told
        for cell in notebook.cells:
            assert not cell.get("outputs") and cell.get("execution_count") is None, name
        assert 'stored = [f"../results/{name}" for name in (' in text, name
        assert f'overopt.judge("{name}", *stored)' in text, name
        assert "overopt.run(" not in text, f"{name}: notebooks of papers train nothing"


def shown(notebook: Any, kind: str) -> list[str]:
    return [
        output.data[kind]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if kind in output.get("data", {})
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_it_runs_and_shows_every_claim(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = jupytext.read(ROOM / f"{name}.ipynb")
    where = {"metadata": {"path": str(ROOM)}}
    before = {path: path.stat().st_mtime_ns for path in ROOM.iterdir()}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    tables = "\n".join(shown(notebook, "text/html"))
    lost = [claim.id for claim in find(name).claims if f">{claim.id}<" not in tables]
    assert not lost, "claims that no table shows"
    for caption in shown(notebook, "text/markdown"):
        assert caption.startswith("After ")
    assert len(shown(notebook, "image/png")) >= len(shown(notebook, "text/markdown"))
    assert {path: path.stat().st_mtime_ns for path in ROOM.iterdir()} == before
