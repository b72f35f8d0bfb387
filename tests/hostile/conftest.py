"""One finished run that the other tests compare with, and a slow million of each fuzz."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from end_to_end.command import Place

from . import cases
from .inprocess import run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each fuzz once as it is, and once, marked as slow, with a million cases."""
    if metafunc.module.__name__.rpartition(".")[2].startswith("test_fuzz"):
        metafunc.fixturenames.append("million")
        slow = pytest.param(True, id="million", marks=pytest.mark.slow)
        metafunc.parametrize("million", [pytest.param(False, id="some"), slow], indirect=True)


@pytest.fixture
def million(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ask for a million cases while a test runs."""
    cases.MILLION.extend([True] * request.param)
    yield
    cases.MILLION.clear()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A finished run of ``inprocess.MAIN``; tests leave it as it is."""
    place = Place.fresh(tmp_path_factory.mktemp("finished"))
    ended = run(place)
    assert ended.code == 0, ended.told
    return place
