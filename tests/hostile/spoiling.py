"""Random damage to texts, tables and documents, the same for the same seed."""

from __future__ import annotations

import random
import re
from typing import Any

VALUES: tuple[object, ...] = (
    None, True, -1, 0, 99, 1e308, "", "x", "\ud800", "=cmd()", "[/red]", "\x1b[2J", [], {}, [None],
    {"a": {}}, 2**70, float("nan"),
)  # fmt: skip
CODE = (
    "None", "-1", "1e999", "[]", "{}", "'x'", "()", "lambda: 0", "*a", "\x00", "9" * 5000, "(((((",
    "@", "def ", "class ", "Config", "param(", "knob(", "float", "int", "\\", "\n    ", "0x", "1_0",
    "b''", "f'{x}'", "True", "yield", "...", "{[]: 1}", "'\\ud800'", "**",
)  # fmt: skip
TOML_VALUES = (
    "true", "-1", "1e400", "nan", "inf", '""', '"x"', "[]", "{}", "[[1]]", "9" * 400,
    '"\\u001b[2J"', '"../x"', "1979-05-27", "'''a\nb'''", "0x1F", "1.5", '"[/red]"', '"\\u0000"',
)  # fmt: skip
TOML_LINES = (
    "[a.b]", "x = 1", "[world]", "]", "\x00", "a.b.c = [", 'name = ".."', "[[policy]]",
    "kl_grid_nats = [1, 0]",
)  # fmt: skip
CELLS = (
    "", "nan", "inf", "1e300", "-1e300", "-5", "abc", "=cmd()", "\x00", "9" * 5000, "1e400",
    "[/red]", "0x10", "1_0", "٣", '"',
)  # fmt: skip


def spoil(document: Any, rng: random.Random) -> Any:
    """A JSON document in which something, somewhere, is something else or is gone."""
    if isinstance(document, dict) and document and rng.random() < 0.9:
        key = rng.choice(sorted(document))
        if rng.random() < 0.2:
            return {name: value for name, value in document.items() if name != key}
        return {**document, key: spoil(document[key], rng)}
    if isinstance(document, list) and document and rng.random() < 0.8:
        at = rng.randrange(len(document))
        return [*document[:at], spoil(document[at], rng), *document[at + 1 :]]
    return rng.choice(VALUES)


def spoil_code(text: str, rng: random.Random) -> str:
    """Python in which up to three words or signs are others."""
    for _ in range(rng.randint(1, 3)):
        found = rng.choice(list(re.finditer(r"[\w.]+|[^\w\s]", text)))
        text = text[: found.start()] + rng.choice(CODE) + text[found.end() :]
    return text


def spoil_toml(text: str, rng: random.Random) -> str:
    """TOML in which up to two lines have another value, are gone, or are new."""
    lines = text.splitlines()
    for _ in range(rng.randint(1, 2)):
        at, chance = rng.randrange(len(lines)), rng.random()
        if "=" in lines[at] and chance < 0.7:
            lines[at] = f"{lines[at].partition('=')[0]}= {rng.choice(TOML_VALUES)}"
        elif chance < 0.8:
            lines[at] = ""
        else:
            lines.insert(at, rng.choice(TOML_LINES))
    return "\n".join(lines)


def spoil_csv(text: str, rng: random.Random) -> str:
    """A table in which one cell is another."""
    rows = [line.split(",") for line in text.splitlines()]
    row = rng.choice(rows)
    row[rng.randrange(len(row))] = rng.choice(CELLS)
    return "".join(",".join(row) + "\n" for row in rows)


def spoil_bytes(content: bytes, rng: random.Random) -> bytes:
    """Three bytes that are others."""
    changed = bytearray(content)
    for _ in range(3):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)
