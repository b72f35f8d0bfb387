"""The room ``execution`` builds stages and knows nothing of the experiment that they make up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .checkout import python_files

EXPERIMENT = re.compile(
    r"\b(?:methods?|prox(?:y|ies)|gold|polic(?:y|ies)|rewards?|preferences?|noises?|budgets?|seeds?"
    r"|cells?|KL|kl_\w+|nats)\b"
)
ROOM = re.compile(r"\boveropt\.(?!execution\b|errors\b)\w+")


@pytest.mark.parametrize(
    "path", python_files("bench/overopt/execution"), ids=lambda path: path.stem
)
def test_no_word_of_the_experiment(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        found = EXPERIMENT.search(line) or ROOM.search(line)
        assert not found, f"{path.name}, line {number}: {found and found[0]}"
