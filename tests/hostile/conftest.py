"""One finished run that the other tests compare with."""

from __future__ import annotations

import pytest

from end_to_end.command import Place

from .inprocess import run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A finished run of ``inprocess.MAIN``; tests leave it as it is."""
    place = Place.fresh(tmp_path_factory.mktemp("finished"))
    ended = run(place)
    assert ended.code == 0, ended.told
    return place
