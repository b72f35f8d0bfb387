"""The lock file pins what pyproject.toml asks for, and the two commands use it."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from .checkout import ROOT, readme_commands

LOCKS = ("requirements.lock", "requirements-cuda.lock", ".ci/torch-cpu.lock")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
CUDA = re.compile(r"(cuda|nvidia)-|triton$")


def blocks(lock: str) -> list[list[str]]:
    """The lines of each requirement: what it is, and a hash on each line that follows."""
    found: list[list[str]] = []
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            found[-1].append(line)
        elif not line.startswith("#"):
            found.append([line])
    return found


def locked(lock: str = "requirements.lock") -> dict[str, Version]:
    pinned: dict[str, Version] = {}
    for first, *_ in blocks(lock):
        requirement = Requirement(first.removesuffix("\\"))
        (pin,) = requirement.specifier
        assert pin.operator == "==", f"{first}: not an exact version"
        pinned[canonicalize_name(requirement.name)] = Version(pin.version)
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


def test_every_file_has_its_hash() -> None:
    for lock in LOCKS:
        for first, *hashes in blocks(lock):
            assert first.endswith(" \\") and hashes, f"{lock}: {first} has no hash"
            for line in hashes:
                found = HASH.fullmatch(line)
                assert found and (found.group(1) is None) == (line is hashes[-1]), line
            assert len(set(hashes)) == len(hashes), f"{lock}: {first} repeats a hash"


def test_ci_takes_a_build_of_torch_that_the_lock_knows() -> None:
    ((first, *hashes),) = blocks(".ci/torch-cpu.lock")
    known = next(block for block in blocks("requirements.lock") if block[0].startswith("torch=="))
    assert first.startswith(f"torch=={locked()['torch']}+cpu ")
    assert {line.strip(" \\") for line in hashes} < {line.strip(" \\") for line in known}


def test_libraries_for_graphics_cards_stand_apart() -> None:
    cuda = locked("requirements-cuda.lock")
    assert cuda and all(CUDA.match(name) for name in cuda)
    assert not [name for name in locked() if CUDA.match(name)]


def test_locks_name_their_platforms() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    head = "".join(line for line in text.splitlines() if line.startswith("#"))
    for platform in ("Linux", "macOS", "Windows", "x86_64", "CPython 3.11", "3.12", "3.13"):
        assert platform in head


def test_readme_checks_hashes() -> None:
    for command in readme_commands():
        assert "pip install --require-hashes --no-deps -r requirements.lock" in command


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
