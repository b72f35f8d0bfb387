"""The lock file pins what pyproject.toml asks for, and the two commands use it."""

from __future__ import annotations

import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from .checkout import ROOT, readme_commands


def locked() -> dict[str, Version]:
    pinned: dict[str, Version] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, equals, version = line.partition("==")
            assert equals, f"{line}: not an exact version"
            pinned[canonicalize_name(name)] = Version(version)
    return pinned


def asked() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
        *project["build-system"]["requires"],
    ]
    return [Requirement(text) for text in texts]


def test_lock_satisfies_every_requirement() -> None:
    pinned = locked()
    for requirement in asked():
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements.lock"
        assert version in requirement.specifier, f"{requirement} does not allow {version}"


def test_lock_names_no_local_build() -> None:
    assert not [name for name, version in locked().items() if version.local]


def test_readme_sets_up_and_runs_in_one_line_each() -> None:
    run, check = readme_commands()
    setup = run.partition(".venv/bin/bench")[0]
    assert setup.endswith("&& ")
    assert run == f"{setup}.venv/bin/bench run --method dpo --kl-grid"
    assert check.startswith(f"{setup}.venv/bin/pytest")


def test_ci_runs_the_readmes_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert readme_commands()[1] in script
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111, ".ci/run is not executable"
