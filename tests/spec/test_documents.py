"""Documents of strangers are bounded, and all of what is taken can be written again."""

from __future__ import annotations

import json

import pytest

from overopt.spec.documents import DEEPEST, RECORD_FORMAT, check_format, parse_json


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 400 + "]" * 400, "nested more than 100 deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested more than 100 deep"),
        ('["\\ud800"]', "half a letter"),
        ('{"\\udfff": 1}', "half a letter"),
        ('{"a": [{"b": "x\\uD83D"}]}', "half a letter"),
        ("[" + "9" * 400 + "]", "a number of 400 digits"),
        ("9" * 5000, "a number of 5000 digits"),
        ("[1e999]", "too large for a number"),
        ("[NaN]", "not a number"),
        ("[-Infinity]", "not a number"),
        ('{"a": 1, "a": 2}', "the name 'a' occurs twice"),
        ("[", "Expecting value"),
        (b"\xff", "can't decode"),
        (b"\xef\xbb\xbf[]", "BOM"),
    ],
)
def test_what_no_file_may_hold(text: str | bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_json(text)


@pytest.mark.parametrize(
    "value", ["\U0001f600", {"a": [1, 2.5, None, True, "é\u0000"]}, 10**299, {"": []}]
)
def test_all_else_comes_back(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


def test_depth_is_counted_exactly() -> None:
    for depth, fits in ((DEEPEST, True), (DEEPEST + 1, False)):
        text = "[" * depth + "]" * depth
        if fits:
            parse_json(text)
        else:
            with pytest.raises(ValueError, match="deep"):
                parse_json(text)


def test_a_repeated_name_is_found_in_linear_time() -> None:
    names = ", ".join(f'"{number}": 0' for number in range(200_000))
    with pytest.raises(ValueError, match="the name '199999' occurs twice"):
        parse_json(f'{{{names}, "199999": 1}}')


@pytest.mark.parametrize("stated", [99, 0, "1", None, True, [], 1.5, "\x1b[2J" * 1000])
def test_a_record_of_another_format_is_refused_in_one_sentence(stated: object) -> None:
    with pytest.raises(ValueError, match=r"(?s)^format = .* reads format 1\. Use") as told:
        check_format({"format": stated})
    assert len(str(told.value)) < 300


def test_records_of_this_format_and_the_first_ones_are_read() -> None:
    check_format({"format": RECORD_FORMAT})
    check_format({})
