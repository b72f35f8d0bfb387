"""The document: what it refuses and how it says so, and the schema that is published of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import overopt
from overopt.errors import UserError
from overopt.leaderboard.submission.reading import parse_submission
from overopt.leaderboard.submission.schema import published_schema

from .folders import make_folder

PUBLISHED = Path(overopt.__file__).parent / "docs" / "submission.schema.json"
DOCUMENT: dict[str, Any] = make_folder(worlds=1, seeds=1).document


def refusal(**changes: object) -> str:
    document = copy.deepcopy(DOCUMENT) | changes
    with pytest.raises(UserError) as told:
        parse_submission(json.dumps(document).encode(), "submission.json")
    return str(told.value)


def test_the_published_schema_is_that_of_the_code() -> None:
    """After a change on purpose, the output of ``bench submit schema`` goes there again.

    A key that old submissions lack needs a default.
    """
    assert PUBLISHED.read_text() == published_schema()


def test_a_document_is_read_as_it_is() -> None:
    submission = parse_submission(json.dumps(DOCUMENT).encode(), "submission.json")
    assert submission.method_name == "dpo"
    assert submission.to_json() == DOCUMENT


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format = 2, which this version does not read"),
        ({"format": True}, "format = True"),
        ({"extra": 1}, "unknown key 'extra'"),
        ({"who": "<b>me</b>"}, "who = '<b>me</b>'"),
        ({"summary": "=HYPERLINK(1)"}, "must not begin like a formula"),
        ({"summary": "\\input{x}"}, "must be plain text"),
        ({"contact": "javascript:alert(1)"}, "contact"),
        ({"license": ""}, "license"),
        ({"entry": "a b"}, "entry"),
        ({"runs": []}, "runs"),
        ({"method": {"kind": "shipped", "name": "ipo"}}, "method.name = 'ipo'"),
        ({"method": {"kind": "zip", "name": "ipo"}}, "method"),
        (
            {
                "method": {
                    "kind": "commit",
                    "repository": "https://user@host/a/b",
                    "commit": "0" * 40,
                    "path": "m.py",
                    "sha256": "0" * 64,
                }
            },
            "method.commit.repository",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_key(changes: dict[str, object], words: str) -> None:
    told = refusal(**changes)
    assert told.startswith("submission.json") and words in told


def test_keys_that_occur_twice_and_numbers_that_are_none_are_refused() -> None:
    text = json.dumps(DOCUMENT)
    for spoiled, words in (
        (text.replace('"who"', '"who": "x", "who"', 1), "'who' occurs twice"),
        (text.replace('"gold_sd": ', '"gold_sd": NaN, "x": ', 1), "NaN"),
        (text.replace('"gold_sd": ', '"gold_sd": 1e999, "x": ', 1), "too large"),
    ):
        with pytest.raises(UserError, match=words):
            parse_submission(spoiled.encode(), "submission.json")


def test_a_run_asks_for_no_more_cells_than_can_be_checked() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["runs"][0]["spec"]["seeds"] = list(range(400))
    document["runs"][0]["spec"]["worlds"] = list(range(400))
    told = refusal(runs=document["runs"])
    assert "spec asks for 160000 cells" in told
