"""A store on a server that speaks S3: equal bytes, uploads killed and damaged, two writers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.execution.artifact import parse_manifest
from overopt.execution.bucket.objects import Objects
from overopt.execution.bucket.store import BucketStore
from overopt.execution.executors.local import ProcessExecutor
from overopt.execution.node import Node
from overopt.execution.outcomes import Outcome
from overopt.execution.scheduler import execute
from overopt.execution.standing.status import status
from overopt.execution.store import Store, open_store
from overopt.execution.worker import _store

from .. import inline
from ..toys import contents, ladder, once, total, toy

pytestmark = [
    pytest.mark.skipif(
        find_spec("obstore") is None, reason="the extra overopt[s3] is not installed"
    ),
    pytest.mark.skipif(find_spec("moto") is None, reason="moto[server] is not installed"),
]
Log = Callable[[], list[str]]
SERVER = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=int(sys.argv[1]), verbose=False)
server.start()
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)},
    )
    assert process.stdout is not None and process.stdin is not None
    while process.stdout.readline().strip() != b"up":
        assert process.poll() is None
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.communicate()


@pytest.fixture
def place(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket's address; the cache is another one in each test."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
    }.items():
        monkeypatch.setenv(name, value)
    move(monkeypatch, tmp_path / "here")
    bucket = "bucket-" + tmp_path.name.replace("_", "-").lower()[-40:]
    urllib.request.urlopen(urllib.request.Request(f"{server}/{bucket}", method="PUT")).close()
    return f"s3://{bucket}/some/where"


def move(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Be on another machine: with another cache."""
    monkeypatch.setenv("OVEROPT_CACHE", str(cache))
    _store.cache_clear()


def drive(place: str, *wanted: Node) -> list[Outcome]:
    """Build nodes in worker processes, with the store at a place."""
    store = open_store(place)
    with ProcessExecutor(store, 1) as executor:
        [result] = execute([once(wanted)], store, executor)
    assert result.value is not None, result.error
    return result.value


def test_equal_bytes_here_and_on_another_machine(
    place: str, tmp_path: Path, toy_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, quiet = ladder(2, 3), Store(tmp_path / "quiet")
    inline.build(quiet, *top)
    drive(place, *top)
    count = len(toy_log())
    assert contents(open_store(place), top) == contents(quiet, top)
    move(monkeypatch, tmp_path / "there")
    elsewhere = open_store(place)
    assert elsewhere.consistent(top[0].key)
    assert contents(elsewhere, top) == contents(quiet, top)
    receipt = elsewhere.receipt(top[0].key)
    assert receipt is not None and receipt.stage == top[0].stage
    elsewhere.close()
    above = total("above", {"x": top[0]})
    move(monkeypatch, tmp_path / "third")
    [outcome] = drive(place, above)
    assert outcome.path is not None
    assert len(toy_log()) == count + 2, "what is there is not made again"


def test_a_plan_asks_for_each_manifest_once(
    place: str, tmp_path: Path, toy_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, asked = ladder(2, 3), []
    drive(place, *top)
    of_one = Objects.get

    def counting(one: Objects, name: str) -> bytes | None:
        asked.append(name)
        return of_one(one, name)

    monkeypatch.setattr(Objects, "get", counting)
    move(monkeypatch, tmp_path / "there")
    there = open_store(place)
    there.prepare()
    for _ in range(2):
        found = status(top, open_store(place))
        assert {one.state for one in found} == {"cached"}
        assert len(asked) == len(set(asked)) == len(found) > 3
    above = total("above", {"x": top[0]})
    drive(place, above)
    assert {one.state for one in status([above], open_store(place))} == {"cached"}


def test_an_upload_that_was_killed_left_nothing_to_read(
    place: str, tmp_path: Path, toy_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each of its requests."""
    for request in range(4):
        made = toy("number", value=request)

        class Killed(Exception):
            pass

        left = request

        def strike(call: Callable[..., object]) -> Callable[..., object]:
            def struck(*given: object) -> object:
                nonlocal left
                if given[1] != "probe" and left == 0:
                    raise Killed
                left -= given[1] != "probe"
                return call(*given)

            return struck

        with monkeypatch.context() as patch:
            for name in ("upload", "create"):
                patch.setattr(Objects, name, strike(getattr(Objects, name)))
            move(patch, tmp_path / f"killed{request}")
            store = BucketStore(place)
            with suppress(Killed):
                inline.build(store, made)
            store.close()
        move(monkeypatch, tmp_path / f"after{request}")
        store = BucketStore(place)
        there = request == 3  # two files and the manifest came before
        assert (store.open(made.key) is not None) == there, request
        store.close()
        [outcome] = drive(place, made)
        assert outcome.path is not None
        assert toy_log().count(f"end {request}") == 2 - there


@pytest.mark.parametrize("what", ["cut", "flipped", "gone", "manifest", "climbs"])
def test_damage_is_found_and_made_again(
    place: str, tmp_path: Path, toy_log: Log, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    made, objects = toy("number", value=9), Objects(place)
    drive(place, made)
    key = made.key
    manifest_name = f"artifacts/{key[:2]}/{key}.json"
    text = objects.get(manifest_name)
    assert text is not None
    manifest = parse_manifest(text, Path(key))
    sha256 = manifest.files["number.txt"].sha256
    name = f"objects/{sha256[:2]}/{sha256}"
    if what == "manifest":
        objects.remove(manifest_name)
        objects.create(manifest_name, text.replace(b"number.txt", b"numbed.txt"))
    elif what == "climbs":
        entry = manifest.files["number.txt"]
        forged = replace(manifest, files={"../../number.txt": entry})
        objects.remove(manifest_name)
        objects.create(manifest_name, json.dumps(forged.to_json()).encode())
    else:
        objects.remove(name)
        if what != "gone":
            objects.create(name, b"9" if what == "cut" else b"8\n")
    move(monkeypatch, tmp_path / "there")
    store = open_store(place)
    assert store.open(key) is None
    assert not (store.root / "tmp" / "number.txt").exists(), "two folders above its draft"
    store.close()
    [outcome] = drive(place, made)
    assert outcome.path is not None
    assert (outcome.path / "number.txt").read_text() == "9\n"
    assert toy_log().count("end 9") == 2
    move(monkeypatch, tmp_path / "third")
    assert open_store(place).open(key) is not None


def test_of_two_writers_the_first_counts(
    place: str, tmp_path: Path, toy_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both found nothing there, and built."""
    made = toy("number", value=2)
    late = BucketStore(place)
    late.prepare()
    drive(place, made)
    first = Objects(place).get(f"artifacts/{made.key[:2]}/{made.key}.json")
    move(monkeypatch, tmp_path / "there")
    late.root = BucketStore(place).root
    late.prepare()
    late._listed = {}
    inline.build(late, made)
    late.close()
    assert Objects(place).get(f"artifacts/{made.key[:2]}/{made.key}.json") == first
    assert len(list(Objects(place).tags("artifacts"))) == 1


def test_what_the_server_refuses_is_one_sentence(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="names a bucket that does not exist"):
        BucketStore("s3://no-such-bucket/x").prepare()
    with pytest.raises(UserError, match="names no bucket"):
        open_store("s3://")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("overopt.execution.bucket.objects._RETRIED", {"max_retries": 0})
    with pytest.raises(UserError, match=r"cannot be used: .* AWS_ENDPOINT_URL"):
        BucketStore(place).prepare()


def test_a_path_that_lost_a_slash_is_the_same_place(place: str) -> None:
    assert open_store(Path(place)).place == place
