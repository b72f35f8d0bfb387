"""``bench worker``, and which machines ``bench run`` may be given."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from overopt.commands.options.executor import Machines
from overopt.commands.worker.serve import serve
from overopt.errors import UserError


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """A worker takes over signals of its process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_worker_without_work_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(tmp_path / "store", 1, 0.0, quiet=False) == 0
    told = capsys.readouterr().err
    assert "1 stage at once" in told
    assert "Nothing was ready for 0 s; leaving." in told
    assert "0 stages answered." in told
    assert (tmp_path / "store" / "shared.json").read_text() == '{\n "lease_s": 30.0\n}\n'
    assert serve(tmp_path / "store", 1, 0.0, quiet=True) == 0
    assert capsys.readouterr().err == ""


def test_what_a_worker_cannot_do_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--leave-after -1: give a number of seconds"):
        serve(tmp_path, 1, -1.0, quiet=True)
    (tmp_path / "shared.json").write_text('{"lease_s": "long"}')
    with pytest.raises(UserError, match=r"shared\.json is damaged: it must hold lease_s"):
        serve(tmp_path, 1, 0.0, quiet=True)


@pytest.mark.parametrize(
    ("machines", "told"),
    [
        (Machines("slurm", None, None, 1.0), "slurm"),
        (Machines("local", "head:6379", None, 1.0), "belong to --executor ray, not to local"),
        (Machines("workers", None, None, 0.5), "belong to --executor ray, not to workers"),
        (Machines("workers", None, 4, 1.0), "starts no worker itself"),
        (Machines("ray", None, None, 0.0), "give a number above 0"),
    ],
)
def test_options_that_do_not_go_together(machines: Machines, told: str) -> None:
    with pytest.raises(UserError, match=told):
        machines.check()


@pytest.mark.parametrize("executor", ["local", "workers", "ray"])
def test_options_that_do(executor: str) -> None:
    Machines(executor, "auto" if executor == "ray" else None, None, 1.0).check()
