"""A method of every family and a system of every kind, each a file in a temporary folder.

Nothing in the package is edited for them: each is found by its path, tried on made-up numbers,
run, and measured.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import own
import systems
from overopt.catalog import lookup

from .command import Place

FAMILIES = {
    "pairs": "dpo",
    "rollout": "rloo",
    "iterative": "online-dpo",
    "selection": "soft-bon",
    "merge": "warp",
}
METHODS = {
    **{f"my_{family}": lookup.files("methods")[name] for family, name in FAMILIES.items()},
    "my_mixture": own.MIXTURE,
    "my_values": own.VALUED,
    "my_sieve": own.SIFTED,
    "my_cooling": own.COOLED,
    "my_texts": own.SHOWN,
}
SYSTEMS = {
    "my_loss": lookup.files("proxies")["labelsmooth"],
    "my_combination": lookup.files("proxies")["uwo"],
    **{
        f"my_{name}": systems.path(name)
        for name in ("averaged", "headed", "paired", "compared", "settled")
    },
    "my_route": systems.path("routed"),
}


def copied(place: Place, files: dict[str, Path]) -> list[str]:
    """The files in the working folder, under other names."""
    for name, source in files.items():
        shutil.copy(source, place.root / f"{name}.py")
    return [f"{name}.py" for name in files]


@pytest.mark.parametrize("kind", ["methods", "systems"])
def test_each_is_run_from_where_it_lies(kind: str, tmp_path: Path) -> None:
    place = Place.fresh(tmp_path)
    if kind == "methods":
        words = ["--method", *copied(place, METHODS), "--proxy", "single"]
    else:
        words = ["--method", "bon", "--proxy", *copied(place, SYSTEMS)]
    place.done(*words, "--noise", "0", "--seeds", "1")
    found = {folder.name for folder in (place.out / "tiny").iterdir()}
    if kind == "methods":
        assert found == set(METHODS)
        measured = {name: place.points(name) for name in METHODS}
    else:
        rows = place.points("bon")
        measured = {name: [row for row in rows if row["proxy"] == name] for name in SYSTEMS}
    for name, rows in measured.items():
        good = [row for row in rows if row["status"] == "ok" and float(row["kl_nats"]) > 0]
        assert good, f"{name} was not measured at any KL above 0"
