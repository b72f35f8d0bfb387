"""Where the checkout lies, and which files of it are ours."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "bench" / "overopt"


def python_files(*folders: str) -> list[Path]:
    """Python files under some folders of the checkout, sorted."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def readme_commands() -> list[str]:
    """The one-line shell commands of README.md that start from nothing, in their order."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("python3 -m venv ")]
