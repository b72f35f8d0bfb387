"""A user's own file is found beside the inputs; shipped ones need no place."""

from __future__ import annotations

from pathlib import Path

from overopt.artifacts.own_file import locate_own
from overopt.catalog import systems


def test_the_input_of_the_files_name_says_where_it_lies() -> None:
    own = systems.proxy("single").model_copy(update={"source": "mine.py"})
    found = locate_own(own, {"mine.py": Path("/somewhere/mine.py"), "pool": Path("/store/pool")})
    assert found.source == "/somewhere/mine.py"
    assert found.config == own.config


def test_a_shipped_one_stays() -> None:
    shipped = systems.method("dpo")
    assert locate_own(shipped, {"pool": Path("/store/pool")}) is shipped
