"""Seeds that neither side can choose: what is committed, what is drawn, and how anybody checks it.

A round commits to a secret salt s by publishing H = SHA-256("overopt round 1\\n" || name || 0 || s)
before entries arrive. World i of an entry e, which is the SHA-256 of its document and through it of
every file that the document pins, is

    w(e, i) = 2^32 + HMAC-SHA-256(s, "world\\n" || name || 0 || e || b || i) mod (2^53 - 2^32),

b a public random value from after the entry arrived, or nothing. Who submits does not know s; who
runs the round cannot change it. Afterwards s is published, and anybody computes H and every world.
The salt has 256 bits, so that H neither tells it nor fits another.

Worlds lie from 2^32 on, which the command line does not give to runs, so that nobody has results of
one by accident; and below 2^53, where tables keep whole numbers apart. They are so many that a
method cannot find its world by building them one by one, as it could among 2^32.

Without b, whoever runs a round and submits to it as well could try entries, which differ in a
space, until the worlds please them. With b, such as the output of a public beacon of a time that
was named before, they cannot.

Reference: M. Blum, "Coin Flipping by Telephone" (1981), commits and reveals a coin;
H. Krawczyk, M. Bellare, R. Canetti, RFC 2104 (1997), https://www.rfc-editor.org/rfc/rfc2104.
"""

from __future__ import annotations

import hashlib
import hmac

FIRST_WORLD = 2**32
WORLDS_END = 2**53
SALT_BYTES = 32


def commitment_of(name: str, salt: bytes) -> str:
    """What is published of a salt before entries arrive: 64 hexadecimal digits."""
    return hashlib.sha256(b"overopt round 1\n" + name.encode() + b"\0" + salt).hexdigest()


def worlds_of(name: str, salt: bytes, entry: str, beacon: str, count: int) -> tuple[int, ...]:
    """Seeds of an entry's worlds.

    Args:
        name: of the round.
        salt: its secret.
        entry: SHA-256 of the entry's document, hexadecimal.
        beacon: public randomness from after the entry arrived, hexadecimal; empty for none.
        count: how many worlds.
    """
    return tuple(
        FIRST_WORLD
        + _number(salt, "world", name, entry, beacon, index) % (WORLDS_END - FIRST_WORLD)
        for index in range(count)
    )


def secret_seed(name: str, salt: bytes, entry: str, beacon: str) -> int:
    """A 63-bit seed for what else is drawn of an entry: hidden prompts, fresh samples."""
    return _number(salt, "seed", name, entry, beacon, 0) >> (256 - 63)


def _number(salt: bytes, use: str, name: str, entry: str, beacon: str, index: int) -> int:
    told = f"{use}\n{name}\0{entry}\0{beacon}\0{index}".encode()
    return int.from_bytes(hmac.new(salt, told, hashlib.sha256).digest())
