"""One case of a fuzz: refused in one sentence or taken, within a time and a memory."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable

from overopt.errors import LONGEST_LINE, UserError

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
WANTED: list[int] = []
"""How many cases are asked for, in place of a kind's own number; see conftest.py."""
LONGEST_S = 2.0
"""Processor time of a case; a busy machine does not lengthen it."""
MOST_BYTES = 500 << 20
"""By which a kind of cases may raise the largest memory of the process."""


class Cases:
    """Counts the cases of one kind, and keeps the dearest.

    Args:
        kind: what the cases are.
        count: how many are done by default; ``FUZZ_TIMES`` multiplies it, the slow marker asks for
            ten thousand, or a million.
    """

    def __init__(self, kind: str, count: int) -> None:
        self.kind, self.count = kind, WANTED[-1] if WANTED else count * TIMES
        self.refused, self.longest_s = 0, 0.0
        self._before_bytes = _peak_bytes()

    def __iter__(self) -> Cases:
        self._left = self.count
        return self

    def __next__(self) -> int:
        if self._left == 0:
            raise StopIteration
        self._left -= 1
        return self.count - self._left

    def try_out(self, case: Callable[[], object]) -> None:
        """Do one case. What it raises but a mistake in one sentence, is a defect.

        A sentence may gain an escape for each of its characters, and no more.
        """
        begun_s = time.process_time()
        try:
            case()
        except UserError as error:
            assert str(error).isprintable() and 10 < len(str(error)) < 12 * LONGEST_LINE
            self.refused += 1
        self.longest_s = max(self.longest_s, time.process_time() - begun_s)

    def check(
        self, least: float = 0.0, longest_s: float = LONGEST_S, most_bytes: int = MOST_BYTES
    ) -> None:
        """Hold the bounds, and that some cases were refused and some were not."""
        grown = _peak_bytes() - self._before_bytes
        print(
            f"{self.kind}: {self.count} cases, {self.refused} refused, longest "
            f"{self.longest_s:.2f} s, memory grew by {grown >> 20} MB"
        )
        assert self.count * least < self.refused < self.count
        assert self.longest_s < longest_s
        assert grown < most_bytes


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
