"""Methods and the proxies that they see: what meets in a contest, and what it is called."""

from __future__ import annotations

from typing import Literal

Compared = Literal["methods", "proxies", "systems"]
"""What meets in a contest: methods against the same proxy, proxies under the same method, or
methods together with the proxies that they see."""


def name_system(method: str, proxy: str) -> str:
    """A method together with the proxy that it sees; ``proxy`` is empty where it sees none."""
    return f"{method} × {proxy}" if proxy else method
