"""Finds papers by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from overopt.catalog.declarations import unknown
from overopt.errors import UserError
from overopt.papers.contract.paper import Paper

_NOT_PAPERS = ("__init__", "shelf")


def names() -> list[str]:
    """Names of all papers, sorted: the stems of the files beside this one."""
    here = Path(__file__).parent.glob("*.py")
    return sorted(path.stem.replace("_", "-") for path in here if path.stem not in _NOT_PAPERS)


def find(name: str) -> Paper:
    """One paper.

    Raises:
        UserError: there is none of that name.
    """
    wanted = name.strip().lower().replace("_", "-")
    if wanted not in names():
        raise UserError(unknown("paper", name, names()))
    module = import_module(f"{__package__}.{wanted.replace('-', '_')}")
    paper = module.PAPER
    assert isinstance(paper, Paper) and paper.name == wanted, f"{module.__file__}: not {wanted}"
    return paper
