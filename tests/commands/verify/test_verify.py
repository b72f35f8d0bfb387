"""``bench verify`` and ``bench round``: what is wrong is one sentence; a round from the shell."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from overopt.__main__ import app
from overopt.errors import UserError

ROOT = Path(__file__).parents[3]


def bench(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), standalone_mode=False)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("verify", "missing"), "is no folder"),
        (("verify", "{tmp}"), "holds no submission.json"),
        (("round", "check", "missing"), "give the folder of a round"),
        (("round", "reveal", "missing"), "give the folder of a round"),
        (("round", "run", "missing", "{tmp}"), "holds no submission.json"),
    ],
)
def test_mistakes(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        bench(*(word.format(tmp=tmp_path) for word in words))


def test_a_round_from_the_shell(tmp_path: Path) -> None:
    folder = str(tmp_path / "spring")
    told = bench("round", "open", folder, "--worlds", "6", "--seeds", "2")
    assert "publish" in told and "keep" in told
    with pytest.raises(UserError, match="holds a round already"):
        bench("round", "open", folder)
    with pytest.raises(UserError, match=r"reveal\.json cannot be read"):
        bench("round", "check", folder)
    assert "revealed" in bench("round", "reveal", folder)
    assert "every world follows from it" in bench("round", "check", folder)


def test_the_form_to_challenge_an_entry_names_commands_that_exist() -> None:
    path = ROOT / ".github" / "ISSUE_TEMPLATE" / "challenge.yml"
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    kinds = {one["type"] for one in form["body"]}
    assert {"input", "textarea", "dropdown", "checkboxes"} <= kinds
    ids = [one["id"] for one in form["body"] if "id" in one]
    assert len(ids) == len(set(ids))
    told = form["body"][-1]["attributes"]["value"]
    for name in ("verify FOLDER --challenge", "round run", "round reveal", "round check"):
        assert f"bench {name}" in told
    for options in (("verify", "--challenge", "--by", "--where"), ("round", "check")):
        usage = bench(options[0], "--help")
        assert all(word in usage for word in options[1:])
