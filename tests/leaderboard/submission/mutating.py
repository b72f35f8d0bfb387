"""Submission documents as somebody in bad faith may write them, each known by its number.

A case starts from an honest document and changes it in one place to three: keys, types, numbers,
letters, nesting, repetitions, parts of other documents; or as text: bytes, encodings, cut ends,
tokens that are not JSON. Nothing is kept between cases, so that any of them can be repeated alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

Place = tuple[str | int, ...]

TEXTS = (
    "../../etc/passwd", "/etc/passwd", "runs/../../x.py", "a//b", "a/./b", "C:\\x", "\\\\host\\x",
    "method/mine.py\x00.txt", "con.", "a" * 5000, "submission.json", "SUBMISSION.JSON",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "'\"><svg onload=alert(1)>",
    "\\input{/etc/passwd}", "\\write18{id}", "$\\immediate$", "%0a\\def", "=cmd|' /C calc'!A0",
    "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r\nX: y", "\u202egnp.exe", "\x1b[2J", "\ud800", "\ufeff",
    "javascript:alert(1)", "https://user:pw@host/x", "file:///etc/passwd", "ssh://x", "e" * 300,
    "NaN", "1e999", "٣", "{{7*7}}", "${x}", "`id`", "$(id)", "A. Name\n", " A. Name", "A. Name ",
)  # fmt: skip
NUMBERS = (
    -1, 0, 1, 2**31, 2**53, 2**63, 2**64, 10**299, -(10**299), 1e308, 1e30, -1e30, 1e-320, 0.5,
    True, float("nan"), float("inf"),
)  # fmt: skip
SHAPES: tuple[object, ...] = (
    None, [], {}, [[]], {"a": 1}, [0] * 5000, {str(i): i for i in range(5000)}, "", [None] * 3,
)  # fmt: skip
LETTERS = (
    "\x00", "\n", "\r", "\t", " ", "\u00a0", "\u00ad", "\u200b", "\u200d", "\u202e", "\u2066",
    "\u2028", "\ufeff", "\ud800", "\udfff", "\U000e0041", "\U0001f4a9", "\u0301", "ß", "ı", "K",
    "\uff0f", "\uff0e", "/", "\\", ".", "..", "'", '"', "<", "&", "%", "$", "{", "=", "-", ":",
)  # fmt: skip
TOKENS = (
    b"NaN", b"-Infinity", b"1e400", b"-0", b"01", b"0x10", b"1_0", b"+1", b".5", b"1.", b"nul",
    b"True", b"'x'", b"// x", b",,", b"9" * 400, b'"\\ud800"', b'"\\u0000"', b'"\\x"', b"\x00",
    b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"[" * 120, b"{" * 2000, b"]", b"}", b'"',
)  # fmt: skip
_TWIN = "\x00twin"  # stands for a key that is repeated, until the document is text


class Case(NamedTuple):
    """A document, and where the honest one was changed; no place where it was changed as text."""

    content: bytes
    touched: tuple[Place, ...]


def paths_in(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield (*path, key)
        if isinstance(one, dict | list):
            yield from paths_in(one, (*path, key))


class Mutator:
    """Makes cases out of honest documents."""

    def __init__(self, documents: Sequence[dict[str, Any]]) -> None:
        self._documents = list(documents)
        self._places = [list(paths_in(document)) for document in documents]

    def case(self, number: int) -> Case:
        """The case of a number, the same each time."""
        rng = random.Random(number)
        index = rng.randrange(len(self._documents))
        document, touched = self._documents[index], []
        twin = ""
        if rng.random() < 0.85:
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                place = rng.choice(self._places[index])
                try:
                    document, added = self._changed(document, place, rng)
                except (KeyError, IndexError, TypeError, AttributeError):
                    continue  # an earlier change took the place away
                touched.append(place)
                touched += [(*place[:-1], added)] if added else []
                twin = str(place[-1]) if added == _TWIN else twin
        spaced = rng.choice(((",", ":"), (", ", ": "), (",\n\t", " : ")))
        text = json.dumps(document, ensure_ascii=rng.random() < 0.5, separators=spaced)
        text = text.replace(json.dumps(_TWIN), json.dumps(twin))
        content = text.encode("utf-8", "surrogatepass")
        if not touched:
            content = _damaged(content, rng)
        return Case(content, tuple(touched))

    def _changed(
        self, document: dict[str, Any], place: Place, rng: random.Random
    ) -> tuple[dict[str, Any], str]:
        """The document with a change at a place, and the key that came into being, if any.

        What is not on the way there is shared with the document that was given.
        """
        changed = dict(document)
        holder: Any = changed
        for key in place[:-1]:
            holder[key] = holder[key].copy()
            holder = holder[key]
        key, value = place[-1], holder[place[-1]]
        chance = rng.random()
        if chance < 0.08:
            del holder[key]
        elif chance < 0.3 and isinstance(key, str):
            added = rng.choice((_misspelled, lambda *_: rng.choice(TEXTS), lambda *_: _TWIN))(
                key, rng
            )
            holder[added] = value if rng.random() < 0.7 else rng.choice(NUMBERS)
            if rng.random() < 0.3 and added not in (key, _TWIN):
                del holder[key]
            return changed, added
        elif chance < 0.4:
            holder[key] = rng.choice((TEXTS, NUMBERS, SHAPES))[
                rng.randrange(len(SHAPES))  # the dear ones no more often than any other
            ]
        elif chance < 0.5:
            holder[key] = self._other_part(rng)
        else:
            holder[key] = _altered(value, rng)
        return changed, ""

    def _other_part(self, rng: random.Random) -> Any:
        """Whatever stands in some place of some document."""
        index = rng.randrange(len(self._documents))
        part: Any = self._documents[index]
        for key in rng.choice(self._places[index]):
            part = part[key]
        return part


def _altered(value: Any, rng: random.Random) -> Any:
    """Something like a value."""
    if rng.random() < 0.15:
        return _of_other_type(value, rng)
    if isinstance(value, bool) or value is None:
        return rng.choice((None, True, False, 0, 1, "", "true"))
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, -value, value << 32, value * 10, value ^ 1))
    if isinstance(value, float):
        return rng.choice((-value, value * 1e300, value / 1e300, value + 1e-9, round(value)))
    if isinstance(value, str):
        return _respelled(value, rng)
    if isinstance(value, list):
        ways: tuple[Callable[[], object], ...] = (
            lambda: value[:-1],
            lambda: value + value[-1:],
            lambda: value[::-1],
            lambda: value * rng.choice((2, 17, 401)),
            lambda: [value],
            lambda: [*value, rng.choice(NUMBERS)],
        )
        return rng.choice(ways)()
    names = list(value)
    return {name: value[rng.choice(names)] if rng.random() < 0.2 else value[name] for name in names}


def _of_other_type(value: Any, rng: random.Random) -> Any:
    deep: Any = value
    for _ in range(rng.choice((1, 2, 90, 200))):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    return rng.choice((deep, json.dumps(value)[:2000], [value], {"value": value}, [], None))


def _respelled(text: str, rng: random.Random) -> str:
    at, letter = rng.randint(0, len(text)), rng.choice(LETTERS)
    ways: tuple[Callable[[], str], ...] = (
        lambda: text[:at] + letter + text[at:],
        lambda: text[:at] + letter + text[at + 1 :],
        lambda: text[:at] + text[at + 1 :],
        lambda: text[:at],
        text.swapcase,
        lambda: text * rng.choice((2, 50)),
        lambda: rng.choice(TEXTS) + text,
        lambda: text + rng.choice(TEXTS),
    )
    return rng.choice(ways)()


def _misspelled(key: str, rng: random.Random) -> str:
    other = _respelled(key, rng)
    return other if other != key else f"{key}s"


def _damaged(text: bytes, rng: random.Random) -> bytes:
    """A document that is damaged as text."""
    at, end = sorted((rng.randrange(len(text)), rng.randrange(len(text))))
    token = rng.choice(TOKENS)
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: text[:at],
        lambda: text[:at] + token + text[at:],
        lambda: text[:at] + token + text[at + 1 :],
        lambda: text[:at] + text[end:],
        lambda: text[:at] + text[at:end] * 2 + text[end:],
        lambda: text[:at] + bytes([text[at] ^ 1 << rng.randrange(8)]) + text[at + 1 :],
        lambda: text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :],
        lambda: _with_value(text, token, rng),
        lambda: _with_value(text, token, rng),
        lambda: rng.choice((text + text, text + b"\0", b"\xef\xbb\xbf" + text, b"[]", b"")),
        lambda: text.decode(errors="replace").encode(rng.choice(("utf-16", "utf-32-le"))),
        lambda: text[:-1] + b', "x": ' + rng.choice((b"[" * 5000, b'{"a":' * 5000)) + b"}",
    )
    if rng.random() < 0.003:
        return text[:-1] + b', "x": [' + b"[]," * 100_000 + b"[]]}"
    return rng.choice(ways)()


def _with_value(text: bytes, token: bytes, rng: random.Random) -> bytes:
    """Another token in the place of a value."""
    found = [at for at, sign in enumerate(text) if sign == ord(":")]
    begin = rng.choice(found) + 1
    end = next(at for at in range(begin, len(text)) if text[at] in b",}]\n")
    return text[:begin] + token + text[end:]
