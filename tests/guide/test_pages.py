"""The pages beside the guide: links lead somewhere, commands exist, columns are all explained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from overopt import __main__ as cli
from overopt.catalog import lookup
from overopt.commands.arguments import spread
from overopt.report.stored.frame import FRAME_COLUMNS

ROOM = lookup.PACKAGE / "docs"
PAGES = sorted(ROOM.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_a_page_exist(page: Path) -> None:
    commands: Any = vars(get_command(cli.app))["commands"]
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for name, rest in re.findall(r"^bench ([\w-]+)(.*)$", "\n".join(blocks), re.MULTILINE):
        words = rest.split("#")[0].split()
        typed = [word for word in spread(words) if word.startswith("-")]
        command = commands[name]
        for below in getattr(command, "commands", {}) and words[:1]:
            command = command.commands[below]
        known = {option for one in command.params for option in one.opts}
        assert set(typed) <= known, f"bench {name}{rest}"


def test_the_guide_joins_the_pages() -> None:
    joined = (lookup.PACKAGE / "GUIDE.md").read_text(encoding="utf-8")
    for name in ("shell", "models", "results"):
        assert f"(docs/{name}.md)" in joined


def test_every_column_of_a_table_of_results_is_explained() -> None:
    text = (ROOM / "shell.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)`", text.partition("### Columns")[2].partition("## Shell")[0]))
    for column in FRAME_COLUMNS:
        stem = re.sub(r"(?:_nats|_mean)?_se$", "", column)
        assert {column, stem, f"{stem}_nats", f"{stem}_mean"} & told, column
