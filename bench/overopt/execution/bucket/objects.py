"""The objects of one place on an object store: put, get and list; errors become sentences.

How to reach the server and who asks is taken from the environment, as other programs do:
``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL`` and so on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from overopt.errors import UserError, one_line, words_of

_WHOLE_BYTES = 32_000_000
"""Larger files are sent in parts."""
_RETRIED = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}


class Objects:
    """Objects by name below ``s3://bucket/prefix``.

    Raises:
        UserError: the library is not installed, or the place is not written like that.
    """

    def __init__(self, place: str) -> None:
        try:
            import obstore
            from obstore import exceptions, store
        except ImportError as error:
            raise UserError(
                f"The store {place} needs obstore, which is not installed ({error}); install "
                "overopt[s3], or give a folder."
            ) from error
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        if not bucket:
            raise UserError(f"The store {place} names no bucket; write it as s3://bucket/prefix.")
        self.place = place
        self._library, self._errors = obstore, exceptions
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        with self._explained():
            self._store = store.S3Store(
                bucket,
                prefix=prefix or None,
                client_options={"allow_http": plain},
                retry_config=_RETRIED,
            )

    def tags(self, folder: str) -> Iterator[tuple[str, str]]:
        """Names of the objects whose names begin with ``folder/``, and the tag of each's content.

        A server that gives none gives the time of the last change and the size instead.
        """
        with self._explained():
            for several in self._library.list(self._store, folder, chunk_size=1000):
                for one in several:
                    tag = one["e_tag"] or f"{one['last_modified'].isoformat()}.{one['size']}"
                    yield one["path"], tag

    def get(self, name: str) -> bytes | None:
        """An object's bytes; None where there is none."""
        try:
            with self._explained():
                return bytes(self._library.get(self._store, name).bytes())
        except FileNotFoundError:
            return None

    def download(self, name: str, path: Path) -> bool:
        """Write an object to a new file, piece by piece; False where there is none."""
        try:
            with self._explained():
                stream = self._library.get(self._store, name).stream()
                with path.open("xb") as file:
                    for piece in stream:
                        file.write(piece)
        except FileNotFoundError:
            return False
        return True

    def has(self, name: str, size_bytes: int) -> bool:
        """Whether there is an object of this name and size."""
        try:
            with self._explained():
                return int(self._library.head(self._store, name)["size"]) == size_bytes
        except FileNotFoundError:
            return False

    def upload(self, name: str, path: Path) -> None:
        """Put a file; an object of this name is replaced at once, as a whole."""
        with self._explained():
            in_parts = path.stat().st_size > _WHOLE_BYTES
            self._library.put(self._store, name, path, use_multipart=in_parts)

    def create(self, name: str, content: bytes) -> bool:
        """Put an object that is not there; False where there is one (``If-None-Match: *``)."""
        try:
            with self._explained():
                self._library.put(self._store, name, content, mode="create")
        except self._errors.AlreadyExistsError:
            return False
        return True

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        try:
            with self._explained():
                self._library.delete(self._store, name)
        except FileNotFoundError:
            return

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the server or the network refuses into a UserError."""
        passed: tuple[Any, ...] = (self._errors.AlreadyExistsError,)
        try:
            yield
        except passed:
            raise
        except (FileNotFoundError, PermissionError, self._errors.BaseError) as error:
            if "NoSuchBucket" in str(error):
                raise UserError(
                    f"The store {self.place} names a bucket that does not exist; make it first."
                ) from error
            if isinstance(error, FileNotFoundError):
                raise
            raise UserError(
                f"The store {self.place} cannot be used: {one_line(words_of(error))[:300]} Check "
                "AWS_ENDPOINT_URL, AWS_REGION and the AWS credentials, then give the same command "
                "again; finished stages are kept."
            ) from error
