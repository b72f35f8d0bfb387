"""One undisturbed run that the other tests compare with."""

from __future__ import annotations

import pytest

from .command import Place

MAIN = ("--method", "dpo", "bon", "--noise", "0", "0.25", "--seeds", "2")
"""Eight cells."""


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A finished run of ``MAIN`` with two workers; tests leave it as it is."""
    place = Place.fresh(tmp_path_factory.mktemp("undisturbed"))
    place.done(*MAIN)
    return place
