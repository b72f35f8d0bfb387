"""One finished run that the other tests compare with, and slow thousands of each fuzz."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from end_to_end.command import Place

from . import cases
from .inprocess import run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each fuzz as it is and, marked as slow, with ten thousand and with a million cases."""
    if metafunc.module.__name__.rpartition(".")[2].startswith("test_fuzz"):
        sizes = [pytest.param(0, id="some")] + [
            pytest.param(size, id=name, marks=pytest.mark.slow)
            for name, size in (("thousands", 10_000), ("million", 1_000_000))
        ]
        metafunc.parametrize("wanted", sizes, indirect=True)


@pytest.fixture(autouse=True)
def wanted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ask for so many cases while a test runs; for 0, as many as it says itself."""
    size = getattr(request, "param", 0)
    cases.WANTED.extend([size] if size else [])
    yield
    cases.WANTED.clear()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A finished run of ``inprocess.MAIN``; tests leave it as it is."""
    place = Place.fresh(tmp_path_factory.mktemp("finished"))
    ended = run(place)
    assert ended.code == 0, ended.told
    return place
