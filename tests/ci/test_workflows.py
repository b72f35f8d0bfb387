"""What runs when a stranger opens a pull request, read from the workflow files themselves."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
ALLOWED = {"actions/checkout", "actions/setup-python"}
HARMLESS = {
    "github.ref",
    "github.event.pull_request.number",
    "github.event.pull_request.head.sha",
}
"""What a workflow may put into its own text: numbers and hashes, nothing that a stranger words."""


def problems(text: str) -> Iterator[str]:
    """What is wrong with a workflow, in sentences; nothing of a safe one."""
    flow: dict[Any, Any] = yaml.safe_load(text)
    events = flow[True]  # YAML 1.1 reads the key `on` as a truth value
    names = set(events) if isinstance(events, dict | list) else {events}
    if re.search(r"\bsecrets\b", re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)):
        yield "it names secrets"
    yield from (f"it runs on {name}" for name in names & {"workflow_run", "issue_comment"})
    if flow.get("permissions") not in ({"contents": "read"}, {}):
        yield "its permissions are not read-only"
    for used in set(re.findall(r"\$\{\{\s*(.*?)\s*\}\}", text)) - HARMLESS:
        yield f"it puts {used} into its text"
    for job in flow["jobs"].values():
        if job.get("permissions", {}) not in ({}, {"contents": "read"}):
            yield "a job has permissions of its own"
        if job.get("runs-on") != "ubuntu-latest":
            yield "it runs on somebody's own machine"
        for step in job["steps"]:
            yield from _step_problems(step, "pull_request_target" in names)


def _step_problems(step: dict[str, Any], is_trusted: bool) -> Iterator[str]:
    action, _, commit = str(step.get("uses", "")).partition("@")
    given = step.get("with", {})
    if action and (action not in ALLOWED or not re.fullmatch(r"[0-9a-f]{40}", commit)):
        yield f"{action} is not one of ours, or not pinned by a whole commit"
    if action == "actions/checkout" and given.get("persist-credentials") is not False:
        yield "a checkout leaves the token behind"
    if action == "actions/checkout" and is_trusted and {"ref", "repository"} & set(given):
        yield "a trusted job checks out something else than the base branch"
    if "cache" in given:
        yield "a cache is shared between changes"
    script = str(step.get("run", ""))
    if "${{" in script:
        yield "a script is made from an expression"
    if is_trusted and re.search(
        r"(^|[\s;&|])(\./)?change/\S+\.(py|sh)\b|pip install\S* \S*change", script
    ):
        yield "a trusted job runs or installs the change"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_forked_code_never_sees_credentials(path: Path) -> None:
    assert list(problems(path.read_text(encoding="utf-8"))) == []


def test_the_guard_is_there_and_is_the_base_branch_s() -> None:
    assert [path.name for path in WORKFLOWS] == ["judge.yml", "slow.yml", "tests.yml"]
    judge = yaml.safe_load((ROOT / ".github/workflows/judge.yml").read_text(encoding="utf-8"))
    assert set(judge[True]) == {"pull_request_target"}
    steps = judge["jobs"]["judge"]["steps"]
    scripts = "\n".join(str(step.get("run", "")) for step in steps)
    assert "bench leaderboard check --results results" in scripts
    assert "--statuses ../trusted/verification" in scripts, "nobody verifies himself"
    assert "bench admit --check" in scripts
    last = steps[-1]
    assert last["working-directory"] == "change" and last["env"] == {"PYTHONSAFEPATH": "1"}
    # the command is the installed one, by its path: nothing is looked for in the change
    assert re.findall(r"^\S+", last["run"], re.MULTILINE) == ["../venv/bin/bench"] * 2


SAFE = (ROOT / ".github/workflows/judge.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  contents: read", "  contents: write", "permissions"),
        ("permissions:\n  contents: read\n", "", "permissions"),
        ("persist-credentials: false", "persist-credentials: true", "token"),
        ("          path: trusted", "          path: trusted\n          ref: refs/pull/1/head",
         "something else than the base branch"),
        ("@11bd71901bbe5b1630ceea73d27597364c9af683", "@v4", "pinned"),
        ("actions/setup-python@", "somebody/setup-python@", "not one of ours"),
        ("NUMBER: ${{ github.event.pull_request.number }}",
         "NUMBER: ${{ github.event.pull_request.title }}", "pull_request.title"),
        ("HEAD: ${{", "TOKEN: ${{ secrets.GITHUB_TOKEN }}\n      HEAD: ${{", "secrets"),
        ('"refs/pull/$NUMBER/head"', '"refs/pull/${{ github.event.pull_request.number }}/head"',
         "expression"),
        ("../venv/bin/bench admit --check", "python change/run.py", "runs or installs the change"),
        ("ubuntu-latest", "self-hosted", "own machine"),
    ],
)  # fmt: skip
def test_each_rule_can_fail(old: str, new: str, told: str) -> None:
    assert old in SAFE
    assert any(told in problem for problem in problems(SAFE.replace(old, new)))


def _commit(folder: Path) -> None:
    for command in (
        ("add", "-A"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"),
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)


def _take(folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / ".ci" / "take"), str(folder), "HEAD", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_only_plain_files_of_known_places_are_taken(tmp_path: Path) -> None:
    change = tmp_path / "change"
    (change / "results").mkdir(parents=True)
    (change / "results" / "leaderboard.csv").write_text("a\n")
    (change / "LEADERBOARD.md").write_text("# a\n")
    (change / "setup.py").write_text("raise SystemExit('run')\n")
    subprocess.run(["git", "init", "-q", str(change)], check=True)
    _commit(change)
    assert _take(change, tmp_path / "out").returncode == 0
    taken = {path.relative_to(tmp_path / "out").as_posix()
             for path in (tmp_path / "out").rglob("*") if path.is_file()}  # fmt: skip
    assert taken == {"results/leaderboard.csv", "LEADERBOARD.md"}

    (change / "results" / "points.csv").symlink_to("/etc/passwd")
    _commit(change)
    refused = _take(change, tmp_path / "linked")
    assert refused.returncode != 0 and "not a plain file" in refused.stdout
    assert not (tmp_path / "linked").exists()
