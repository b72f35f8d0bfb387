"""One round from its opening to its end, and how anybody checks one that has ended."""

from __future__ import annotations

import secrets
from pathlib import Path

from overopt.errors import UserError
from overopt.leaderboard.rounds.derivation import (
    SALT_BYTES,
    commitment_of,
    secret_seed,
    worlds_of,
)
from overopt.leaderboard.rounds.documents import (
    LEAST_WORLDS,
    Arrival,
    Commitment,
    Drawn,
    Reveal,
    Secret,
    digest_of,
    read,
    write_once,
)

COMMITMENT, SECRET, REVEAL, ENTRIES = "commitment.json", "secret.json", "reveal.json", "entries"


def open_round(folder: Path, name: str, worlds: int, seeds: int) -> Commitment:
    """Draw a salt and commit to it; a folder that holds a round already is refused.

    A salt without a commitment is what is left of an opening that was cut off; nothing was drawn
    from it, and it is committed to.

    Raises:
        UserError: there is a round, the folder cannot be written, or a number is out of range.
    """
    if worlds < LEAST_WORLDS or not 1 <= seeds <= 100 or worlds > 100:
        raise UserError(
            f"--worlds {worlds} --seeds {seeds}: a round has {LEAST_WORLDS} to 100 worlds of 1 to "
            "100 seeds; with fewer worlds nothing but absurd claims could be found."
        )
    if (folder / COMMITMENT).exists():
        raise UserError(f"{folder} holds a round already; give a folder that does not exist.")
    begun = read(Secret, folder / SECRET) if (folder / SECRET).exists() else None
    if begun is not None and begun.round != name:
        raise UserError(f"{folder} holds a secret of the round {begun.round}; give --name so.")
    salt = secrets.token_bytes(SALT_BYTES) if begun is None else bytes.fromhex(begun.salt)
    made = Commitment(
        format=1,
        kind="commitment",
        round=name,
        commitment=commitment_of(name, salt),
        worlds=worlds,
        seeds=seeds,
    )
    try:
        # the secret first: a commitment whose salt is lost could never be revealed
        secret = Secret(format=1, kind="secret", round=name, salt=salt.hex())
        write_once(folder / SECRET, secret, 0o600)
        write_once(folder / COMMITMENT, made)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); give another.") from error
    return made


def arrive(folder: Path, entry: str, name: str, beacon: str = "") -> Arrival:
    """Write down that an entry has arrived; one that has is found again, beacon and all.

    Args:
        folder: of the round.
        entry: SHA-256 of its document.
        name: of the entry.
        beacon: public randomness from after it arrived, hexadecimal; empty for none.

    Raises:
        UserError: the round is over or damaged.
    """
    commitment = read(Commitment, folder / COMMITMENT)
    known = arrivals(folder, commitment)
    for one in known:
        if one.entry == entry:
            if beacon not in ("", one.beacon):
                raise UserError(
                    f"entry {one.number} arrived with the beacon {one.beacon or 'none'}; it is "
                    "never drawn again with another."
                )
            return one
    if (folder / REVEAL).exists():
        raise UserError(f"{folder}: the round was revealed, so that no entry can arrive any more.")
    made = Arrival(
        format=1,
        kind="arrival",
        round=commitment.round,
        number=len(known),
        entry=entry,
        name=name,
        previous=digest_of(known[-1] if known else commitment),
        beacon=beacon,
    )
    write_once(_place(folder, made.number), made)
    return made


def arrivals(folder: Path, commitment: Commitment) -> list[Arrival]:
    """All entries of a round in the order in which they arrived.

    Raises:
        UserError: the chain is broken: an arrival was changed, left out or put in.
    """
    files = sorted((folder / ENTRIES).glob("*.json"))
    found: list[Arrival] = []
    before = digest_of(commitment)
    for number, path in enumerate(files):
        one = read(Arrival, path)
        named = path == _place(folder, number) and one.number == number
        if not named or one.previous != before or one.round != commitment.round:
            raise UserError(
                f"{path} does not follow from what came before it; arrivals are numbered from 0 "
                "and name the SHA-256 of the one before."
            )
        found.append(one)
        before = digest_of(one)
    return found


def _place(folder: Path, number: int) -> Path:
    return folder / ENTRIES / f"{number:05d}.json"


def draw(folder: Path, arrival: Arrival) -> tuple[Drawn, int]:
    """Worlds of an entry that has arrived, and the seed of what else is drawn of it.

    Raises:
        UserError: the salt is neither here nor revealed, or is not the one that was committed to.
    """
    commitment = read(Commitment, folder / COMMITMENT)
    salt = _salt(folder, commitment)
    drawn = _drawn(commitment, salt, arrival)
    return drawn, secret_seed(commitment.round, salt, arrival.entry, arrival.beacon)


def reveal(folder: Path) -> Reveal:
    """Publish the salt; the round is over.

    Raises:
        UserError: the salt is not here, or is not the one that was committed to.
    """
    commitment = read(Commitment, folder / COMMITMENT)
    salt = _salt(folder, commitment)
    made = Reveal(
        format=1,
        kind="reveal",
        round=commitment.round,
        salt=salt.hex(),
        drawn=tuple(_drawn(commitment, salt, one) for one in arrivals(folder, commitment)),
    )
    write_once(folder / REVEAL, made)
    return made


def check(folder: Path) -> Reveal:
    """Check a round that was revealed from its published files alone.

    Raises:
        UserError: the salt is not the one that was committed to, the arrivals are no chain, or a
            world is not the one that follows.
    """
    commitment = read(Commitment, folder / COMMITMENT)
    told = read(Reveal, folder / REVEAL)
    salt = bytes.fromhex(told.salt)
    if told.round != commitment.round or commitment_of(told.round, salt) != commitment.commitment:
        raise UserError(f"{folder / REVEAL}: the salt is not the one that was committed to.")
    wanted = tuple(_drawn(commitment, salt, one) for one in arrivals(folder, commitment))
    if told.drawn != wanted:
        raise UserError(
            f"{folder / REVEAL}: worlds or entries are not those that follow from the salt and "
            "the arrivals."
        )
    return told


def _salt(folder: Path, commitment: Commitment) -> bytes:
    if (folder / REVEAL).exists():
        salt = bytes.fromhex(read(Reveal, folder / REVEAL).salt)
    else:
        salt = bytes.fromhex(read(Secret, folder / SECRET).salt)
    if commitment_of(commitment.round, salt) != commitment.commitment:
        raise UserError(f"{folder}: the salt is not the one that was committed to.")
    return salt


def _drawn(commitment: Commitment, salt: bytes, one: Arrival) -> Drawn:
    worlds = worlds_of(commitment.round, salt, one.entry, one.beacon, commitment.worlds)
    return Drawn(number=one.number, entry=one.entry, worlds=worlds)
