"""Synthetic runs and one report of them, written once for all tests of the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.report.writing import write_report

from .synthetic import Cell, write_runs


@pytest.fixture(scope="session")
def run_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Best-of-n and IPO on two proxies, two noises, five seeds, one failed cell."""
    root = tmp_path_factory.mktemp("results")
    write_runs(
        root,
        methods=("bon", "ipo"),
        proxies=("single", "wco"),
        failed=(Cell("ipo", "single", "0.25", 3),),
    )
    return root


@pytest.fixture(scope="session")
def report(run_root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of the report of ``run_root``, the page first."""
    return write_report([run_root], tmp_path_factory.mktemp("report"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One small run folder that a test may damage."""
    return write_runs(
        tmp_path, methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0,), failed=()
    )[0]
