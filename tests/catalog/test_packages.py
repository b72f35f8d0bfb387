"""Methods, proxies and tasks of installed packages: found without importing, run by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from overopt.catalog import lookup, systems, toml_files
from overopt.catalog.packages import registered
from overopt.commands.list import list_kind
from overopt.errors import UserError
from overopt.execution.code.modules import find_module, load_module

TASK = Path(__file__).parents[1] / "end_to_end" / "tiny.toml"
METHOD = '''"""A best-of-n of a package."""

from dataclasses import dataclass

from overopt.spec.declare import knob
from {package}.sums import BOUND, normalize

FAMILY = "selection"
KNOB = knob("n", low=1.0, high=8.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """None."""


def weights(config, pool, knob):
    """Softmax of the proxy."""
    return normalize(pool.proxy_BN, knob)


def samples_used(config, pool_samples, knob):
    """All."""
    return pool_samples
'''
SUMS = '''"""What methods of the package share."""

import numpy as np

BOUND = 1


def normalize(proxy_BN, knob):
    """Probabilities."""
    weight_BN = np.exp(0.1 * knob * proxy_BN)
    return weight_BN / weight_BN.sum(1, keepdims=True)
'''
EXPLODES = 'raise SystemExit("importing this package is a mistake while listing")\n'


def install(site: Path, package: str, entry_points: str, **files: str) -> None:
    """Lay a small distribution out as pip would, without one."""
    (site / package).mkdir(parents=True)
    for name, text in {"__init__": "", **files}.items():
        suffix = "" if "." in name else ".py"
        (site / package / f"{name}{suffix}").write_text(text, encoding="utf-8")
    info = site / f"{package}-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("COLUMNS", "300")
    return folder


def test_module_is_found_without_importing_its_package(site: Path) -> None:
    install(site, "pkg_explodes", "", __init__=EXPLODES, inner="X = 1\n")
    assert find_module("pkg_explodes") == site / "pkg_explodes" / "__init__.py"
    assert find_module("pkg_explodes.inner") == site / "pkg_explodes" / "inner.py"
    assert find_module("pkg_explodes.absent") is None
    assert find_module("no_such_package.inner") is None
    assert "pkg_explodes" not in sys.modules


def test_list_names_the_package_and_resolve_reads_it_unrun(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = (
        "[overopt.methods]\ntilt_a = pkg_good.tilt\n[overopt.tasks]\nmini = pkg_good:tiny.toml\n"
    )
    files = {"tilt": METHOD.format(package="pkg_good"), "tiny.toml": TASK.read_text()}
    install(site, "pkg_good", entries, __init__=EXPLODES, sums=SUMS, **files)
    assert "tilt-a" in lookup.names("methods") and "tilt-a" not in lookup.shipped("methods")
    assert list_kind("methods") == 0
    told = capsys.readouterr().out
    (line,) = (line for line in told.splitlines() if line.strip().startswith("tilt-a "))
    assert "pkg_good 0.3" in line and "broken" not in told
    method = systems.method("tilt_a")
    assert (method.name, method.source) == ("tilt-a", "pkg_good.tilt")
    assert lookup.origin("methods", "tilt-a") == "pkg_good 0.3"
    assert lookup.origin("methods", "dpo") == "overopt"
    assert toml_files.load_task("mini").name == "mini"
    assert "pkg_good" not in sys.modules


BROKEN = {
    "dpo = pkg_bad.tilt": "dpo of pkg_bad 0.3: dpo is the name of a shipped method; rename it.",
    "lost = pkg_bad.nowhere": "there is no Python file of the module pkg_bad.nowhere.",
    "part = pkg_bad.tilt:loss": "'pkg_bad.tilt:loss' does not name a module alone",
    "odd = pkg_bad.odd": "odd.py: it has no class Config; declare one",
    "torn = pkg_bad.torn": "torn.py, line 1: not valid Python",
}


@pytest.mark.parametrize("entry", BROKEN)
def test_a_broken_one_is_named_and_breaks_nothing(
    entry: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"tilt": METHOD.format(package="pkg_bad"), "odd": "X = 1\n", "torn": "def (\n"}
    install(site, "pkg_bad", f"[overopt.methods]\n{entry}\n", sums=SUMS, **files)
    assert list_kind("methods") == 0
    told = capsys.readouterr().out
    (line,) = (line for line in told.splitlines() if line.startswith("broken: "))
    assert BROKEN[entry] in line
    assert " dpo " in told
    name = entry.partition(" ")[0]
    if name == "dpo":
        assert systems.method("dpo").source == "overopt.methods.pairs.dpo"
    else:
        with pytest.raises(UserError):
            systems.method(name)


def test_two_packages_of_one_name_are_both_named(site: Path) -> None:
    for package in ("pkg_one", "pkg_two"):
        entries = f"[overopt.proxies]\nsame = {package}.tilt\n"
        install(site, package, entries, sums=SUMS, tilt=METHOD.format(package=package))
    problems = {one.problem for one in registered("proxies") if one.name == "same"}
    assert problems == {"pkg_one 0.3 and pkg_two 0.3 register the same name; uninstall all but one"}
    with pytest.raises(UserError, match="cannot be used: pkg_one"):
        systems.proxy("same")


def test_torn_metadata_of_a_stranger_hides_nobody(site: Path) -> None:
    install(site, "pkg_kept", "[overopt.methods]\nkept = pkg_kept.tilt\n", tilt="", sums="")
    install(site, "pkg_torn", "[overopt.methods]\nno equals sign here\n")
    found = {one.name: one.problem for one in registered("methods")}
    assert found["kept"] == ""
    assert "entry_points.txt cannot be read" in found["pkg_torn"]


def test_neighbors_in_the_package_move_the_code_version(site: Path) -> None:
    package = site / "pkg_v"
    install(site, "pkg_v", "", tilt=METHOD.format(package="pkg_v"), sums=SUMS, other="Y = 1\n")
    first = fresh_version("pkg_v.tilt", site)
    (package / "other.py").write_text("Y = 2\n")
    assert fresh_version("pkg_v.tilt", site) == first, "the method does not import it"
    (package / "sums.py").write_text(SUMS.replace("0.1", "0.2"))
    second = fresh_version("pkg_v.tilt", site)
    (package / "__init__.py").write_text("Z = 3\n")
    third = fresh_version("pkg_v.tilt", site)
    assert len({first, second, third}) == 3


def fresh_version(module: str, site: Path) -> str:
    """The code version that a new process takes, which imports nothing of the package."""
    script = (
        "import sys; from overopt.execution.code.version import code_version as c;"
        "print(c(sys.argv[1])); assert 'pkg_v' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, module],
        env=environment(site),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def environment(site: Path) -> dict[str, str]:
    path = os.pathsep.join([str(site), *sys.path])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def test_a_registered_method_is_planned_and_run(site: Path, tmp_path: Path) -> None:
    entries = "[overopt.methods]\ntilt-b = pkg_run.tilt\n[overopt.tasks]\nmini = pkg_run:t.toml\n"
    files = {"tilt": METHOD.format(package="pkg_run"), "t.toml": TASK.read_text()}
    install(site, "pkg_run", entries, sums=SUMS, **files)
    for command in ("plan", "run"):
        words = [command, "--method", "tilt-b", "--task", "mini", "--seeds", "1", "--workers", "1"]
        done = subprocess.run(
            [sys.executable, "-m", "overopt", *words, "--store", "store"],
            cwd=tmp_path, env=environment(site), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results" / "mini" / "tilt-b").iterdir()
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "ok" and record["standard"] is False
    assert record["packages"]["pkg_run"] == "0.3"
    assert record["spec"]["methods"][0]["source"] == "pkg_run.tilt"


def test_a_file_of_ones_own_is_a_module_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("class Config:\n    pass\n")
    module = load_module(str(path))
    assert module.__name__.rpartition(".")[2] == "mine"
    assert module.Config.__module__ == module.__name__ and module.__name__ in sys.modules
