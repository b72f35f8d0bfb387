"""Stores and logs for the tests of the runner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from overopt.execution.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A fresh store that is ready for use."""
    fresh = Store(tmp_path / "store")
    fresh.prepare()
    return fresh


@pytest.fixture
def toy_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Reads the lines that toy stages leave, also from worker processes."""
    path = tmp_path / "toy.log"
    path.touch()
    monkeypatch.setenv("TOY_LOG", str(path))
    return lambda: path.read_text().splitlines()
