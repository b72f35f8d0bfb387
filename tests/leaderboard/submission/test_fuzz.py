"""Submissions that a stranger wrote in bad faith: refused in one sentence that names the field.

Some thousands of documents and hundreds of pages and folders are tried; ``FUZZ_TIMES=100`` tries a
hundred times that. Each case takes less than a second and 200 MB.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import spoiling
from hostile.cases import Cases
from overopt.errors import UserError
from overopt.leaderboard.submission.checking import check_submission, dump_verdict
from overopt.leaderboard.submission.files import check_content
from overopt.leaderboard.submission.pages import parse_page
from overopt.leaderboard.submission.parts import Page
from overopt.leaderboard.submission.quality_page import make_quality_page
from overopt.leaderboard.submission.reading import parse_submission, read_submission
from overopt.leaderboard.submission.schema import Submission
from overopt.leaderboard.submission.verdict import Asked

from .folders import Folder, make_folder
from .mutating import NUMBERS, SHAPES, TEXTS, paths_in

LONGEST_S = 1.0
MOST_BYTES = 200 << 20


@pytest.fixture(scope="module")
def folder() -> Folder:
    """A small honest submission."""
    return make_folder(worlds=1, seeds=1)


def spoiled(
    document: dict[str, Any], places: list[tuple[str | int, ...]], rng: random.Random
) -> tuple[bytes, str]:
    """A document with something else in one place, and the first key on the way there."""
    path = rng.choice(places)
    changed = copy.copy(document)
    holder: Any = changed
    for key in path[:-1]:  # the rest of the document is shared with the honest one
        holder[key] = copy.copy(holder[key])
        holder = holder[key]
    chance = rng.random()
    if chance < 0.1:
        del holder[path[-1]]
    elif chance < 0.2 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = rng.choice(NUMBERS)
    elif chance < 0.6:
        holder[path[-1]] = rng.choice(TEXTS)
    elif chance < 0.85:
        holder[path[-1]] = rng.choice(NUMBERS)
    else:
        holder[path[-1]] = rng.choice(SHAPES)
    return json.dumps(changed).encode("utf-8", "surrogatepass"), str(path[0])


def rough(text: bytes, rng: random.Random) -> bytes:
    """A document that is damaged as text: repeated keys, depth, digits, bytes, ends."""
    at = rng.randrange(len(text))
    return rng.choice(
        (
            lambda: text[:at],
            lambda: text.replace(b'"who"', b'"who": "x", "who"', 1),
            lambda: text.replace(b'"seeds"', b'"seeds": [9], "seeds"', 1),
            lambda: text[:-1] + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
            lambda: text[:-1] + b', "x": ' + b'{"a":' * 5000,
            lambda: text[:-1] + b', "x": ' + b"9" * 5000 + b"}",
            lambda: text[:-1] + b', "x": NaN}',
            lambda: text[:-1] + b', "x": "\\ud800"}',
            lambda: text[:-1] + b', "x": [' + b"[]," * 100_000 + b"[]]}",
            lambda: text + text,
            lambda: b"\xff\xfe" + text,
            lambda: b"",
            lambda: b"[]",
            lambda: spoiling.spoil_bytes(text, rng),
        )
    )()


def test_documents(folder: Folder) -> None:
    """What is refused is told with the key that it stands under; what is taken does no harm."""
    rng, cases = random.Random(0), Cases("submission documents", 1000)
    document, text = folder.document, json.dumps(folder.document).encode()
    places = list(paths_in(document))

    def one() -> None:
        if rng.random() < 0.2:
            given, key = rough(text, rng), ""
        else:
            given, key = spoiled(document, places, rng)
        try:
            check_harmless(parse_submission(given, "submission.json"))
        except UserError as error:
            assert str(error).startswith("submission.json")
            assert key in str(error) or " JSON " in str(error), str(error)
            raise

    for _ in cases:
        cases.try_out(one)
    cases.check(0.5, LONGEST_S, MOST_BYTES)


def check_harmless(submission: Submission) -> None:
    """Nothing that was taken leads out of the folder, or means anything to whoever shows it."""
    for file in submission.files():
        assert Path("/x", file.path).resolve().is_relative_to("/x") and "\\" not in file.path
    for text in (submission.entry, submission.summary, submission.who, submission.contact):
        assert text.isprintable() and text[:1] not in "=+-@|%"
        assert not {"<", ">", "\\", "{", "}", "$"} & set(text)


@settings(max_examples=40)
@given(st.text(max_size=60), st.sampled_from(["entry", "summary", "who", "contact", "license"]))
def test_texts_of_any_letters(text: str, field: str) -> None:
    document = copy.deepcopy(_SMALL)
    document[field] = text
    given_bytes = json.dumps(document).encode("utf-8", "surrogatepass")
    try:
        submission = parse_submission(given_bytes, "submission.json")
    except UserError as error:
        assert field in str(error) or "JSON" in str(error)
    else:
        check_harmless(submission)


_SMALL = make_folder(worlds=1, seeds=1).document


def lie(content: bytes, rng: random.Random) -> bytes:
    """A page whose header says something else about the same numbers, or whose numbers are bad."""
    size = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]

    def with_header(text: bytes, length: int | None = None) -> bytes:
        return (len(text) if length is None else length).to_bytes(8, "little") + text + data

    name = rng.choice(sorted(header))
    told = header[name]
    choices: list[Callable[[], object]] = [
        lambda: told.update(shape=[2**40]),
        lambda: told.update(shape=[told["shape"][0], 0]),
        lambda: told.update(shape=[-1]),
        lambda: told.update(dtype=rng.choice(["F16", "F64", "I64", "BOOL", "X", 3])),
        lambda: told.update(data_offsets=[0, 2**62]),
        lambda: told.update(data_offsets=[-8, 8]),
        lambda: told.update(data_offsets=header["gold"]["data_offsets"]),
        lambda: told.update(data_offsets=rng.choice([[], [0], "x", [0.0, 8.0], None])),
        lambda: told.update(x=1),
        lambda: header.pop(name),
        lambda: header.update({rng.choice(TEXTS): told}),
        lambda: header.update(__metadata__={"a": "b" * 100}),
        lambda: header.update({name: rng.choice(SHAPES)}),
    ]
    chance = rng.random()
    if chance < 0.6:
        rng.choice(choices)()
        return with_header(json.dumps(header).encode("utf-8", "surrogatepass"))
    if chance < 0.7:
        text = json.dumps(header).encode()
        return rng.choice(
            (
                with_header(text, 2**63),
                with_header(text, 0),
                with_header(text, len(text) + 1),
                with_header(text + b" " * 10_000),
                with_header(text.replace(b'"gold"', b'"gold": 1, "gold"')),
                with_header(b"[" * 7000),
                content[: rng.randrange(len(content))],
                content + b"\0" * 8,
                b"PAR1" + content + b"PAR1",
                b"PK\x03\x04" + content,
                b"",
            )
        )
    bad = rng.choice((np.nan, np.inf, -np.inf, 1e300, -1e31))
    begin = 8 + size + header[name]["data_offsets"][0]
    number = np.float64(bad).tobytes()
    if header[name]["dtype"] == "I32":
        number = np.int32(rng.choice((-1, 2**31 - 1, 10**6))).tobytes()
    return content[:begin] + number + content[begin + len(number) :]


def test_pages(folder: Folder) -> None:
    """Headers that lie, numbers that are none, archives in a page's place."""
    rng, cases = random.Random(1), Cases("pages", 300)
    stated = folder.document["runs"][0]["cells"][0]["page"]
    content, page = folder.contents[stated["file"]["path"]], Page.model_validate(stated)

    def one() -> None:
        parse_page(lie(content, rng), page, "runs/0/000.safetensors")

    for _ in cases:
        cases.try_out(one)
    assert len(parse_page(content, page, "page").gold) == page.rows
    cases.check(0.9, LONGEST_S, MOST_BYTES)


def test_folders(folder: Folder, tmp_path: Path) -> None:
    """Links, pipes, strange names and files that are not those that the document pins."""
    rng, cases = random.Random(2), Cases("submission folders", 60)
    good = folder.write(tmp_path / "good")
    secret = tmp_path / "secret"
    secret.write_text("not theirs")
    whole = {path: content for path, content in folder.contents.items()}
    named = sorted(whole)

    def one() -> None:
        path = good / rng.choice(named)
        before = path.read_bytes()
        extra = good / rng.choice(["x.zip", "runs/0/y.pkl", ".hidden", "runs/z/a", "method.py"])

        def instead(make: Callable[[], object]) -> None:
            path.unlink()
            make()

        def beside(make: Callable[[], object]) -> None:
            extra.parent.mkdir(exist_ok=True)
            make()

        choices: list[Callable[[], object]] = [
            lambda: instead(lambda: path.symlink_to(secret)),
            lambda: instead(lambda: path.symlink_to("/dev/zero")),
            lambda: instead(lambda: os.link(secret, path)),
            lambda: instead(lambda: os.mkfifo(path)),
            lambda: instead(path.mkdir),
            path.unlink,
            lambda: path.write_bytes(before + b"x"),
            lambda: path.write_bytes(spoiling.spoil_bytes(before, rng)),
            lambda: path.write_bytes(b""),
            lambda: beside(lambda: extra.write_bytes(b"PK\x03\x04")),
            lambda: beside(lambda: extra.symlink_to("/etc")),
            lambda: None,
        ]
        rng.choice(choices)()
        try:
            submission = read_submission(good)
            for file in submission.files():
                check_content(good, file)
        finally:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            path.unlink(missing_ok=True)
            path.write_bytes(before)
            extra.unlink(missing_ok=True)
            if extra.parent.name == "z" and extra.parent.exists():
                extra.parent.rmdir()

    for _ in cases:
        cases.try_out(one)
    cases.check(0.5, LONGEST_S, MOST_BYTES)


def test_documents_that_the_schema_takes_are_judged(folder: Folder, tmp_path: Path) -> None:
    """Whatever a valid document claims, the tier ends with findings that can be shown."""
    rng, cases = random.Random(3), Cases("judged submissions", 6)
    good = folder.write(tmp_path / "good")
    document, places = folder.document, list(paths_in(folder.document))
    judged = []

    def one() -> None:
        for _ in range(400):  # most damage is refused by the schema, which is tried above
            text, _ = spoiled(document, places, rng)
            try:
                parse_submission(text, "")
            except UserError:
                continue
            break
        (good / "submission.json").write_bytes(text)
        verdict = check_submission(Asked(good), ("t0",))
        judged.append(verdict.passed)
        shown = make_quality_page(verdict)
        assert "<script>alert" not in shown and "onerror=alert(1)>" not in shown
        dump_verdict(verdict)

    for _ in cases:
        cases.try_out(partial(one))
    assert len(judged) > 0
