"""A million submission documents, each known by its number: refused with the field, or harmless.

Some hundreds are tried by default. ``pytest -m slow tests/leaderboard/submission/test_mutated.py -k
million`` tries all of them, in some ten minutes of one core.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import pytest

from golden.test_golden_submissions import FIRST
from hostile.cases import Cases
from overopt.errors import UserError, printable
from overopt.leaderboard.submission.reading import parse_submission
from overopt.leaderboard.submission.schema import Submission

from .folders import make_folder
from .mutating import Case, Mutator, Place
from .test_fuzz import check_harmless

LONGEST_S = 1.0
MOST_BYTES = 200 << 20

WHOLE = re.compile(
    r"submission\.json(: it is not JSON as it should be: .|: format = | must hold one JSON object"
    r"| has more than 2 MiB)"
)
"""What is wrong with a document as a whole, and stands in no field."""


def honest_documents() -> list[dict[str, Any]]:
    """Documents with a method of each kind: a file, a commit, and one that overopt ships."""
    golden = json.loads((FIRST / "submission.json").read_text())
    shipped = make_folder(worlds=1, seeds=1).document
    commit = {
        "kind": "commit",
        "repository": "https://example.org/owner/name",
        "commit": "0" * 40,
        "path": "methods/dpo.py",
        "sha256": "0" * 64,
    }
    return [golden, shipped, {**shipped, "method": commit}]


MUTATOR = Mutator(honest_documents())
_FIELDS = re.compile(rf"\b({'|'.join(Submission.model_fields)})\b|: x holds too much")
"""Fields of the document, and the one that damage to its text may add."""


def names_field(told: str, touched: tuple[Place, ...]) -> bool:
    """Whether a refusal names a place that was changed, or what it lies in; or is of the whole."""
    if WHOLE.match(told):
        return True
    if not touched:
        return _FIELDS.search(told.removeprefix("submission.json")) is not None
    # keys of strangers are cut and escaped where they are quoted
    keys = [[key for key in place if isinstance(key, str)][-2:] for place in touched]
    return any(printable(key)[:12] in told for names in keys for key in names)


def read(case: Case) -> None:
    """Read a document.

    Raises:
        UserError: it is refused, in a sentence that names the field.
    """
    try:
        check_harmless(parse_submission(case.content, "submission.json"))
    except UserError as error:
        assert names_field(str(error), case.touched), (str(error), case.touched)
        raise


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(1000, id="some"),
        pytest.param(50_000, id="share", marks=pytest.mark.slow),
        pytest.param(1_000_000, id="million", marks=pytest.mark.slow),
    ],
)
def test_mutated_documents(count: int) -> None:
    cases = Cases("mutated documents", count)
    for number in cases:
        try:
            cases.try_out(partial(read, MUTATOR.case(number)))
        except Exception as error:
            error.add_note(f"the document is MUTATOR.case({number})")
            raise
    cases.check(0.5, LONGEST_S, MOST_BYTES)


def test_a_case_can_be_repeated() -> None:
    assert [MUTATOR.case(n) for n in range(50)] == [MUTATOR.case(n) for n in range(50)]
    assert len({MUTATOR.case(n).content for n in range(200)}) > 180


def test_a_refusal_without_the_field_is_noticed() -> None:
    touched: tuple[Place, ...] = (("runs", 0, "spec", "seeds", 0),)
    assert names_field("submission.json: runs.0.spec.seeds.0 = 'x': should be an integer.", touched)
    assert not names_field("submission.json: runs.0.points.bytes = -1: too small.", touched)
    assert not names_field("submission.json: it is wrong.", ())
