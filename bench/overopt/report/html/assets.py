"""What the page carries in itself: styles, scripts and the charting library, and their policy.

The library is uPlot 1.6.32 (https://github.com/leeoniya/uPlot, MIT), the files of the npm
package ``uplot@1.6.32`` as they are; ``assets/SOURCE.md`` says how they were taken. A checksum is
pinned for each, and a changed file is refused rather than shipped.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

UPLOT_VERSION = "1.6.32"
PINNED = {
    "uPlot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
"""SHA-256 of the library's files."""

_FOLDER = Path(__file__).parent / "assets"
_STYLES = ("page.css", "uPlot.min.css")
_SCRIPTS = ("uPlot.iife.min.js", "theme.js", "table.js", "chart.js", "overlay.js", "folded.js")


def read_asset(name: str) -> str:
    """One file of the page.

    Raises:
        ValueError: a file of the library is not the one that was pinned.
    """
    content = (_FOLDER / name).read_bytes()
    if name in PINNED and sha256(content).hexdigest() != PINNED[name]:
        raise ValueError(f"{_FOLDER / name} is not the file of uplot@{UPLOT_VERSION}")
    return content.decode()


def styles() -> str:
    """All style sheets, as one text."""
    return "\n".join(read_asset(name) for name in _STYLES)


def script() -> str:
    """All scripts as one, in the order in which they need each other."""
    return "\n".join(read_asset(name) for name in _SCRIPTS)


def policy(script_text: str) -> str:
    """A content security policy that lets this script run and nothing be loaded."""
    digest = b64encode(sha256(script_text.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def embed_json(value: Any) -> str:
    """A value as JSON that may stand inside a ``<script>`` element, whatever its texts hold.

    Raises:
        ValueError: for a number that JSON has no word for.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
