"""``bench submit check``: judges a submission, and leaves a page and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from overopt.commands.printing import open_console, print_colored, print_json
from overopt.commands.submit.files import write_whole
from overopt.commands.submit.telling import tell_progress
from overopt.errors import UserError
from overopt.leaderboard.submission.checking import check_submission, check_tiers, dump_verdict
from overopt.leaderboard.submission.quality_page import make_quality_page
from overopt.leaderboard.submission.verdict import Asked, Verdict
from overopt.report.quantities import show_bytes

_MOST_SHOWN = 20


def check(
    folder: Path,
    tiers: Sequence[str],
    against: Sequence[Path],
    out: Path | None,
    store: Path | None,
    workers: int,
    quiet: bool,
    as_json: bool,
) -> int:
    """Check, write the page and the verdict, print what failed; returns the exit code.

    Raises:
        UserError: the folder is no submission, or the results cannot be written.
    """
    asked_tiers = check_tiers(tiers)
    place = out or folder.resolve().with_name(f"{folder.resolve().name}-check")
    if place.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"--out {place} lies in the submission, which must stay as it is.")
    asked = Asked(folder, tuple(against), store, workers, quiet)
    with tell_progress(quiet) as told:
        verdict = check_submission(asked, asked_tiers, told)
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "verdict.json", dump_verdict(verdict))
        write_whole(place / "qc.html", make_quality_page(verdict))
    except OSError as error:
        raise UserError(
            f"--out {place} cannot be written ({error.strerror}); give another folder."
        ) from error
    if as_json:
        print_json("submission_check", {**verdict.to_json(), "page": str(place / "qc.html")})
    else:
        _print(verdict, open_console())
        open_console().print(f"page: {place / 'qc.html'}", soft_wrap=True)
    return 0 if verdict.passed else 1


def _print(verdict: Verdict, console: Console) -> None:
    failed = [one for one in verdict.findings if one.outcome == "fail"]
    for one in failed[:_MOST_SHOWN]:
        place = f"{one.where}: " if one.where else ""
        print_colored(console, "red", f"{one.tier} {one.check} ", f"{place}{one.words}")
    if len(failed) > _MOST_SHOWN:
        console.print(f"and {len(failed) - _MOST_SHOWN} more, on the page")
    for one in verdict.findings:
        if one.outcome == "note" and not one.where:
            print_colored(console, "yellow", f"{one.tier} {one.check} ", one.words)
    for cost in verdict.costs:
        number = sum(one.tier == cost.tier for one in verdict.findings)
        peak = show_bytes(cost.peak_bytes, 3)
        console.print(f"{cost.tier}: {number} checks, {cost.wall_s:.1f} s, at most {peak}")
    console.print("passed" if verdict.passed else "failed")
