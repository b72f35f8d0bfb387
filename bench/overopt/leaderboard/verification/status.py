"""The standing of an entry: claimed, verified or contested, with everything that led there.

``status.json`` is a history that only grows; the standing follows from it and is stated:
- claimed: nothing but lower tiers was tried;
- verified: the last full trial, tier T3 with all tiers below it, found nothing wrong;
- contested: a trial found something wrong, or somebody challenged the entry, and no full trial has
  passed since.
A file is that of an entry in all of its versions, which are told apart by their documents' SHA-256:
another version of a contested entry is contested until a full trial of it passes, and another
version of a verified one is claimed.
A history that holds the same event at its end is left as it is, so that repeating a command changes
nothing. There are no times in it: where the file lies, in a repository, says when.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from overopt.errors import UserError
from overopt.execution.canonical import canonical_json
from overopt.execution.synced import sync_folder
from overopt.leaderboard.submission.texts import Line, Name, Sha256, Version
from overopt.spec.documents import parse_json
from overopt.spec.explanations import explain
from overopt.spec.frozen import Spec, absent

Standing = Literal["claimed", "verified", "contested"]
Tier = Literal["T0", "T1", "T2", "T3"]
LARGEST_BYTES = 4 << 20


class Trial(Spec):
    """An entry was verified up to a tier.

    failed: checks that failed; empty where it passed. verdict: SHA-256 of the verdict, its costs
    left out. round: in which it was, where there was one. submission: of which earlier version of
    the entry; None of the last one.
    """

    kind: Literal["trial"]
    tier: Tier
    failed: tuple[Annotated[str, Field(pattern=r"^T\d [a-z0-9_]{1,60}$")], ...] = Field(
        max_length=1000
    )
    verdict: Sha256
    overopt: Version
    round: Name | None = None
    submission: Sha256 | None = Field(default=None, exclude_if=absent)


class Challenge(Spec):
    """Somebody doubts an entry: who, why, and where it is discussed.

    submission: as that of a trial.
    """

    kind: Literal["challenge"]
    by: Line
    reason: Line
    where: Annotated[str, Field(pattern=r"^(https://[A-Za-z0-9./_~#-]{1,200})?$")] = ""
    submission: Sha256 | None = Field(default=None, exclude_if=absent)


Event = Annotated[Trial | Challenge, Field(discriminator="kind")]


class Status(Spec):
    """entry: its name. submission: SHA-256 of the document of the last version that was tried."""

    format: Literal[1]
    entry: Name
    submission: Sha256
    standing: Standing
    history: tuple[Event, ...] = Field(max_length=10_000)

    @model_validator(mode="after")
    def _follows(self) -> Self:
        if self.standing != standing_of(self.history):
            raise ValueError(
                f"standing = {self.standing!r} does not follow from the history, which says "
                f"{standing_of(self.history)!r}"
            )
        return self

    @property
    def trials(self) -> int:
        """How often the entry was tried in all of its versions."""
        return sum(isinstance(event, Trial) for event in self.history)

    @property
    def versions(self) -> int:
        """How many versions of it were tried or challenged."""
        return len({event.submission or self.submission for event in self.history})

    def standing_for(self, submission: str) -> Standing:
        """The standing of a version of the entry, by the SHA-256 of its document."""
        if submission == self.submission:
            return self.standing
        own = [event for event in self.history if event.submission == submission]
        so_far = standing_of(own) if own else self.standing
        return "contested" if so_far == "contested" else "claimed"


def standing_of(history: Sequence[Trial | Challenge]) -> Standing:
    """What a history amounts to for the version that its last event is about."""
    standing: Standing = "claimed"
    version: str | None = history[0].submission if history else None
    for event in history:
        if event.submission != version and standing == "verified":
            standing = "claimed"
        version = event.submission
        if isinstance(event, Challenge) or event.failed:
            standing = "contested"
        elif event.tier == "T3":
            standing = "verified"
    return standing


def read_status(path: Path) -> Status:
    """A status file, checked.

    Raises:
        UserError: it is missing, too long, or no status.
    """
    try:
        if path.is_symlink() or path.stat().st_size > LARGEST_BYTES:
            raise UserError(f"{path} is a link or too long to be a status; restore it.")
        content = path.read_bytes()
        parse_json(content)
        return Status.model_validate_json(content)
    except ValidationError as error:
        raise UserError(explain(error, str(path), Status)) from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON as it should be: {error}.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); restore it.") from error


def _of(event: Trial | Challenge, before: str, now: str) -> Trial | Challenge:
    """An event once the last version is another: with its own version, which that one needs not."""
    own = event.submission or before
    return event.model_copy(update={"submission": None if own == now else own})


def record(path: Path, entry: str, submission: str, event: Trial | Challenge) -> Status:
    """Add an event to a status file, which is made where there is none.

    Raises:
        UserError: the file belongs to another entry, is damaged, or cannot be written.
    """
    history: tuple[Trial | Challenge, ...] = ()
    if path.exists() or path.is_symlink():
        before = read_status(path)
        if before.entry != entry:
            raise UserError(f"{path} is the status of {before.entry}; give another file.")
        same = before.submission == submission
        if same and before.history and before.history[-1] == event:
            return before
        history = tuple(_of(one, before.submission, submission) for one in before.history)
    history = (*history, event)
    made = Status(
        format=1,
        entry=entry,
        submission=submission,
        standing=standing_of(history),
        history=history,
    )
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as stream:
            stream.write(canonical_json(made.to_json()).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written ({error.strerror}); give another.") from error
    return made
