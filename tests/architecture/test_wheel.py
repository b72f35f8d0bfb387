"""The wheel holds one import package with its declarations, and works from an empty directory."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from overopt.catalog import lookup

from .checkout import PACKAGE, ROOT


def run(*command: str, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--no-isolation", "--wheel", "--outdir", str(out), cwd=ROOT)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    install = ("-m", "pip", "install", "--no-deps", "--no-index", "--target", str(target))
    run(*install, str(wheel), cwd=target)
    return target


def test_wheel_has_one_top_level_name(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"overopt", "overopt-0.1.0.dist-info"}


def test_wheel_holds_every_module_and_declaration(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    for path in PACKAGE.rglob("*.py"):
        assert f"overopt/{path.relative_to(PACKAGE).as_posix()}" in held
    for path in (PACKAGE / "report" / "html" / "assets").iterdir():
        assert f"overopt/{path.relative_to(PACKAGE).as_posix()}" in held
    for kind in ("tasks", "gold"):
        for name in lookup.names(kind):
            assert f"overopt/_data/{kind}/{name}.toml" in held
    assert "overopt/py.typed" in held
    data = {name for name in held if name.startswith("overopt/_data") and "toml" not in name}
    assert data == {"overopt/_data/results/curves.csv", "overopt/_data/tasks/pool-example.jsonl"}


def test_wheel_names_the_command_twice_and_carries_the_license(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    entry_points = archive.read("overopt-0.1.0.dist-info/entry_points.txt").decode()
    assert "bench = overopt.__main__:main" in entry_points
    assert "overopt = overopt.__main__:main" in entry_points
    assert "overopt-0.1.0.dist-info/licenses/LICENSE" in archive.namelist()


@pytest.mark.parametrize("kind", ["tasks", "gold", "methods", "proxies"])
def test_installed_wheel_finds_its_declarations(kind: str, installed: Path, tmp_path: Path) -> None:
    listed = run("-m", "overopt", "list", kind, cwd=tmp_path, PYTHONPATH=str(installed))
    for name in lookup.names(kind):
        assert name in listed


def test_installed_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    where = "import overopt.catalog.lookup as c; print(c.__file__, c.data_folder('tasks'))"
    module, data = run("-c", where, cwd=tmp_path, PYTHONPATH=str(installed)).split()
    assert Path(module).is_relative_to(installed)
    assert Path(data).is_relative_to(installed)


def test_installed_command_answers_help(installed: Path, tmp_path: Path) -> None:
    for program in ("bench", "overopt"):
        script = installed / "bin" / program
        told = run(str(script), "--help", cwd=tmp_path, PYTHONPATH=str(installed))
        assert f"Usage: {program} " in told
