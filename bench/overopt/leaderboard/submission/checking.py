"""Checks a submission tier by tier: the one function for authors and for those who verify."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence

from overopt import __version__
from overopt.errors import UserError
from overopt.execution.canonical import canonical_json
from overopt.execution.code.modules import load
from overopt.leaderboard.submission.files import read_plain
from overopt.leaderboard.submission.parts import DOCUMENT
from overopt.leaderboard.submission.verdict import Asked, Finding, TierCost, Verdict

TIERS = ("t0", "t1")
_LARGEST_BYTES = 2 << 20


def check_submission(
    asked: Asked,
    tiers: Sequence[str] = TIERS,
    told: Callable[[str], None] = lambda words: None,
) -> Verdict:
    """Judge a submission by each tier, lower ones first; a tier that fails ends it.

    Args:
        asked: the folder, and what it is compared with.
        tiers: by their names, ``t0`` and ``t1``.
        told: called with what is being done.

    Raises:
        UserError: the submission cannot be read at all.
    """
    content = read_plain(
        asked.folder / DOCUMENT, _LARGEST_BYTES, f"{asked.folder} holds no {DOCUMENT}"
    )
    digest = hashlib.sha256(content).hexdigest()
    about = {"submission_sha256": digest, "overopt": __version__, "tiers": list(tiers)}
    verdict = Verdict(asked.folder, about)
    for tier in tiers:
        begun_s = time.monotonic()
        # loaded by name, as further tiers are
        findings: list[Finding] = load("leaderboard.tiers", tier).judge(asked, told)
        verdict.findings += findings
        wall_s = round(time.monotonic() - begun_s, 3)
        verdict.costs.append(TierCost(tier.upper(), wall_s, _peak_bytes()))
        if not verdict.passed:
            break
    return verdict


def dump_verdict(verdict: Verdict) -> str:
    """The verdict as JSON text."""
    return json.dumps(verdict.to_json(), indent=1, sort_keys=True, allow_nan=False) + "\n"


def digest_of(verdict: Verdict) -> str:
    """SHA-256 of what was found, without what it cost, which is never twice the same."""
    found = {name: value for name, value in verdict.to_json().items() if name != "costs"}
    return hashlib.sha256(canonical_json(found).encode()).hexdigest()


def check_tiers(names: Sequence[str]) -> tuple[str, ...]:
    """The tiers up to the highest that a user names: each rests on those below it.

    Raises:
        UserError: there is no such tier.
    """
    asked = {name.lower() for name in names}
    strange = sorted(asked - set(TIERS))
    if strange:
        raise UserError(f"--tier {strange[0]}: there is no such tier; give {' or '.join(TIERS)}.")
    return TIERS[: max(map(TIERS.index, asked), default=len(TIERS) - 1) + 1]


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
