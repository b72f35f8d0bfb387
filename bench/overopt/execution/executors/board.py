"""Work on a shared folder: orders as files that drivers lay out, workers take, and answer.

``work/<driver>/`` of a store belongs to one driver, who holds its lease. An order lies in
``ready/`` until a worker that holds the lease of its key moves it to ``taken/``; its answer comes
to ``ended/``, and ``notes/`` say how far it is. Each file appears by a rename, as a whole, and has
the name of the attempt, which no other attempt has. Nothing is flushed to the disk: a board that
does not outlive the machine is one of a dead driver.

What lies there is parsed strictly, and an order is taken only if its key is the hash of what it
asks for. Whoever may write in a store decides what its workers run, so that a worker leaves alone
what belongs to another user of the system.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from filelock import BaseFileLock
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from overopt.execution.messages import Built, InputMissing, Lost, Message, Raised, Refused
from overopt.execution.node import Node, Resources, key_of
from overopt.execution.store import Store
from overopt.execution.worker import Order

_PLACES = ("ready", "taken", "ended", "notes", "refused")
_NAME = re.compile(r"\d{8}-[0-9a-f]{64}")
_LARGEST_BYTES = 16_000_000
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Stage = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+(:[A-Za-z_]\w*)?$")]


class Unreadable(Exception):
    """A file of the board is not what it must be; the text says in what."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class _Order(_Strict):
    format: Literal[1]
    key: Key
    stage: Stage
    params: dict[str, JsonValue]
    inputs: dict[str, Key]
    code: Key
    extra_code: list[str]
    label: str
    kind: str
    timeout_s: Annotated[float, Field(gt=0)] | None


class _Answer(_Strict):
    """A message, by its name and fields."""

    format: Literal[1]
    message: Literal["Built", "Raised", "Lost", "InputMissing", "Refused"]
    fields: dict[str, JsonValue]


class Note(_Strict):
    """How far a stage is (0 to 1), in its own words, and where it runs."""

    fraction: Annotated[float, Field(ge=0, le=1)]
    text: str
    host: str
    pid: int


_MESSAGES: dict[str, TypeAdapter[Message]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Built, Raised, Lost, InputMissing, Refused)
}


class Desk:
    """One driver's folder on the board.

    Args:
        folder: ``work/<driver>``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def opened(cls, store: Store) -> tuple[Desk, BaseFileLock]:
        """A new driver's desk, and the lock that the driver holds while it works."""
        folder = store.root / "work" / f"{os.getpid()}-{secrets.token_hex(8)}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = store.locks.take(folder)
        assert lock is not None, "nobody else knows of it"
        for place in _PLACES:
            (folder / place).mkdir(parents=True)
        return cls(folder), lock

    def names(self, place: str) -> list[str]:
        """Attempts that have a file in one of the places, first ones first."""
        try:
            found = [path.name for path in (self.folder / place).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in found if _NAME.fullmatch(name))

    # The driver -----------------------------------------------------------------------------------

    def lay_out(self, number: int, task: Order) -> str:
        """Publish an order; orders with lower numbers are taken first."""
        node = task.node
        name = f"{number:08d}-{task.key}"
        body = _Order(
            format=1,
            key=task.key,
            stage=node.stage,
            params=dict(node.params),
            inputs=dict(task.input_keys),
            code=node.code,
            extra_code=list(node.extra_code),
            label=node.label,
            kind=node.kind,
            timeout_s=node.resources.timeout_s,
        )
        self._publish("ready", name, body)
        return name

    def answer(self, name: str) -> Message | None:
        """What came of an attempt, or None as long as there is no answer.

        Raises:
            Unreadable: the answer is not one, or is that to another order.
        """
        text = self._read("ended", name)
        if text is None:
            return None
        try:
            body = _Answer.model_validate_json(text)
            message = _MESSAGES[body.message].validate_json(json.dumps(body.fields), strict=True)
        except ValidationError as error:
            raise Unreadable(_first(error)) from error
        if message.key != _key(name):
            raise Unreadable("it answers another order")
        return message

    def note(self, name: str) -> Note | None:
        """The last note about an attempt; None where there is none that can be read."""
        with suppress(ValidationError, Unreadable):
            text = self._read("notes", name)
            return Note.model_validate_json(text) if text else None
        return None

    def refusals(self) -> list[str]:
        """Why workers leave orders alone, a sentence for each of them."""
        told: list[str] = []
        with suppress(OSError):
            for path in sorted((self.folder / "refused").iterdir())[:100]:
                told.append(path.read_bytes()[:1000].decode("utf-8", "replace"))
        return told

    def clear(self, name: str) -> None:
        """Remove what is left of an attempt."""
        for place in ("ready", "taken", "ended", "notes"):
            (self.folder / place / name).unlink(missing_ok=True)

    def close(self, lock: BaseFileLock) -> None:
        """Remove the desk, whose lock is held."""
        shutil.rmtree(self.folder, ignore_errors=True)
        lock.release()

    # Workers --------------------------------------------------------------------------------------

    def read(self, name: str, root: Path) -> Order | None:
        """An order that is ready, or None where it is no longer.

        Raises:
            Unreadable: it is none, or not what its key says.
        """
        path = self.folder / "ready" / name
        text = self._read("ready", name)
        if text is None:
            return None
        with suppress(FileNotFoundError):
            if hasattr(os, "getuid") and path.lstat().st_uid != os.getuid():
                raise Unreadable("it belongs to another user of this system")
        try:
            body = _Order.model_validate_json(text)
        except ValidationError as error:
            raise Unreadable(_first(error)) from error
        node = Node(
            stage=body.stage,
            params=body.params,
            inputs=(),
            code=body.code,
            extra_code=tuple(body.extra_code),
            label=body.label,
            resources=Resources(timeout_s=body.timeout_s),
            kind=body.kind,
        )
        if not _key(name) == body.key == key_of(node, body.inputs):
            raise Unreadable("its key is not the hash of what it asks for")
        return Order(str(root), body.key, node, body.inputs, is_held=True)

    def take(self, name: str) -> bool:
        """Take an order that is ready; False where it is no longer."""
        return self._move(name, "ready", "taken")

    def give_back(self, name: str) -> None:
        """Let another worker take an order."""
        self._move(name, "taken", "ready")

    def is_wanted(self, name: str) -> bool:
        """Whether the driver still waits for an order that was taken."""
        return (self.folder / "taken" / name).exists()

    def tell(self, name: str, note: Note) -> None:
        """Say how far an order is; a note that cannot be written is not worth a stage's time."""
        with suppress(OSError):
            self._publish("notes", name, note)

    def end(self, name: str, message: Message) -> None:
        """Answer an order, if its driver is still there."""
        with suppress(FileNotFoundError, NotADirectoryError):
            kind, fields = type(message).__name__, asdict(message)
            self._publish("ended", name, _Answer.model_validate(_answer(kind, fields)))

    def refuse(self, worker: str, why: str) -> None:
        """Say once why this worker leaves orders alone."""
        with suppress(OSError):
            (self.folder / "refused" / worker).write_text(why, encoding="utf-8")

    def _move(self, name: str, start: str, end: str) -> bool:
        try:
            (self.folder / start / name).rename(self.folder / end / name)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _publish(self, place: str, name: str, body: BaseModel) -> None:
        draft = self.folder / f"{name}.{secrets.token_hex(4)}"
        try:
            draft.write_bytes(body.model_dump_json().encode())
            draft.replace(self.folder / place / name)
        finally:
            draft.unlink(missing_ok=True)

    def _read(self, place: str, name: str) -> bytes | None:
        try:
            with (self.folder / place / name).open("rb") as stream:
                text = stream.read(_LARGEST_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(text) > _LARGEST_BYTES:
            raise Unreadable(f"it is larger than {_LARGEST_BYTES} bytes")
        return text


def desks(store: Store) -> Iterator[Desk]:
    """The desks of living drivers; those of dead ones are removed.

    A driver on another machine is known to be dead once its lease was watched for long enough.
    """
    for folder in sorted((store.root / "work").glob("*-*")):
        if not folder.is_dir():
            continue
        lock = store.locks.take(folder)
        if lock is None:
            yield Desk(folder)
        else:
            Desk(folder).close(lock)


def _answer(kind: str, fields: dict[str, object]) -> dict[str, object]:
    return {"format": 1, "message": kind, "fields": fields}


def _key(name: str) -> str:
    return name.partition("-")[2]


def _first(error: ValidationError) -> str:
    """What is wrong, in the words of the first complaint."""
    told = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, told['loc']))}: {told['msg']}".lstrip(": ")
