"""A run folder that is written a second time, by this version or by a later one."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.run.written.unchanged import check_unchanged

NOW = {"points.csv": "a,b\n1,2\n", "diagnostics.csv": "a,b,c\n1,2,3\n"}


def _folder(root: Path, **files: str) -> Path:
    for name, text in {**NOW, **files}.items():
        (root / name).write_text(text)
    return root


def test_the_same_files_and_tables_of_earlier_versions_are_left_alone(tmp_path: Path) -> None:
    check_unchanged(_folder(tmp_path), NOW, None)
    check_unchanged(_folder(tmp_path, **{"diagnostics.csv": "a,b\n9,9\n"}), NOW, None)
    (tmp_path / "diagnostics.csv").unlink()
    check_unchanged(tmp_path, NOW, None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("points.csv", "a\n1\n"),
        ("diagnostics.csv", "a,b,c\n1,2,4\n"),
        ("diagnostics.csv", "x\n1\n"),
        ("diagnostics.csv", ""),
    ],
)
def test_other_files_are_told(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not what this run wrote"):
        check_unchanged(_folder(tmp_path, **{name: text}), NOW, None)
