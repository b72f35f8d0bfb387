"""Names from results as figures may show them."""

from __future__ import annotations


def plain(text: str, longest: int = 32) -> str:
    """A stored name as it may appear in a figure: printable, in one line, not too long."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
