"""``bench verify`` and ``bench round run``: a trial of an entry, its verdict, and its standing."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from overopt import __version__
from overopt.commands.printing import open_console, print_colored, print_json
from overopt.commands.submit.files import write_whole
from overopt.commands.submit.telling import tell_progress
from overopt.errors import UserError
from overopt.leaderboard.rounds import ledger
from overopt.leaderboard.rounds.documents import Commitment, read
from overopt.leaderboard.submission.checking import check_submission, digest_of, dump_verdict
from overopt.leaderboard.submission.verdict import Verdict
from overopt.leaderboard.verification import status as standing
from overopt.leaderboard.verification.trial import Trial
from overopt.report.quantities import show_bytes
from overopt.spec.explanations import explain

TIERS: tuple[standing.Tier, ...] = ("T0", "T1", "T2", "T3")


class Entry(NamedTuple):
    """A submission's folder, its name, and the SHA-256 of its document, which pins every file."""

    folder: Path
    name: str
    digest: str


class Wanted(NamedTuple):
    """What is asked of a trial; see the command's options."""

    entry: Entry
    tier: str
    round_folder: Path | None
    beacon: str
    upstream: Path | None
    status: Path | None
    store: Path | None
    workers: int


def verify(wanted: Wanted, quiet: bool, as_json: bool) -> int:
    """Try an entry, write the verdict and the standing, and print both; returns the exit code."""
    tiers, entry = _tiers(wanted), wanted.entry
    place = _beside(entry.folder)
    trial, drawn_in = _trial(wanted)
    with tell_progress(quiet) as told:
        verdict = check_submission(trial, [tier.lower() for tier in tiers], told)
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "verdict.json", dump_verdict(verdict))
    except OSError as error:
        raise UserError(f"{place} cannot be written ({error.strerror}).") from error
    failed = [one for one in verdict.findings if one.outcome == "fail"]
    event = standing.Trial(
        kind="trial",
        tier=tiers[len(verdict.costs) - 1],
        failed=tuple(dict.fromkeys(f"{one.tier} {one.check}" for one in failed)),
        verdict=digest_of(verdict),
        overopt=__version__,
        round=drawn_in,
    )
    file = wanted.status or place / "status.json"
    now = standing.record(file, entry.name, entry.digest, event)
    if as_json:
        print_json("verification", {**verdict.to_json(), "standing": now.standing})
    else:
        _print(verdict, now, file)
    return 0 if verdict.passed else 1


def challenge_entry(
    entry: Entry, by: str | None, reason: str, where: str, status: Path | None
) -> int:
    """Record that somebody doubts an entry; returns the exit code.

    Raises:
        UserError: it is not said who, or in what must be plain text there is something else.
    """
    if by is None:
        raise UserError("--challenge needs --by NAME: who doubts the entry.")
    file = status or _beside(entry.folder) / "status.json"
    try:
        event = standing.Challenge(kind="challenge", by=by, reason=reason, where=where)
    except ValidationError as error:
        raise UserError(explain(error, "--challenge", standing.Challenge)) from error
    now = standing.record(file, entry.name, entry.digest, event)
    console = open_console()
    console.print(f"{entry.name}: {now.standing} ({file})", soft_wrap=True)
    console.print(f"next: bench verify {entry.folder} --tier T3 --round ROUND", soft_wrap=True)
    return 0


def _tiers(wanted: Wanted) -> tuple[standing.Tier, ...]:
    asked = wanted.tier.upper()
    if asked not in TIERS:
        raise UserError(f"--tier {wanted.tier}: there is no such tier; give {', '.join(TIERS)}.")
    if asked == "T3" and wanted.round_folder is None:
        raise UserError(
            "Tier T3 needs worlds that were drawn after the entry arrived; give --round FOLDER, "
            "which bench round open makes."
        )
    return TIERS[: TIERS.index(asked) + 1]


def _beside(folder: Path) -> Path:
    return folder.resolve().with_name(f"{folder.resolve().name}-check")


def _trial(wanted: Wanted) -> tuple[Trial, str | None]:
    """The trial, and the name of the round that draws its worlds."""
    entry = wanted.entry
    if wanted.round_folder is None:
        return Trial(entry.folder, store=wanted.store, workers=wanted.workers), None
    folder = wanted.round_folder
    commitment = read(Commitment, folder / ledger.COMMITMENT)
    arrival = ledger.arrive(folder, entry.digest, entry.name, wanted.beacon)
    drawn, secret = ledger.draw(folder, arrival)
    trial = Trial(
        entry.folder,
        store=wanted.store,
        workers=wanted.workers,
        secret=secret,
        worlds=drawn.worlds,
        seeds=commitment.seeds,
        runs=folder / "runs" / f"{arrival.number:05d}",
        upstream=wanted.upstream,
    )
    return trial, commitment.round


def _print(verdict: Verdict, now: standing.Status, file: Path) -> None:
    console = open_console()
    for one in verdict.findings:
        place = f"{one.where}: " if one.where else ""
        if one.outcome == "fail":
            print_colored(console, "red", f"{one.tier} {one.check} ", f"{place}{one.words}")
        elif one.tier in ("T2", "T3") and (not one.where or one.check == "claims"):
            print_colored(console, "green", f"{one.tier} {one.check} ", f"{place}{one.words}")
    for cost in verdict.costs:
        number = sum(one.tier == cost.tier for one in verdict.findings)
        peak = show_bytes(cost.peak_bytes, 3)
        console.print(f"{cost.tier}: {number} checks, {cost.wall_s:.1f} s, at most {peak}")
    told = f"trial {now.trials}, of version {now.versions}"
    console.print(f"{now.entry}: {now.standing}, {told} ({file})", soft_wrap=True)
