"""Own files, declarations, command lines and results folders, spoiled at random.

Some hundreds of each are tried; ``FUZZ_TIMES=100`` in the environment tries a hundred times that.
"""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path

import pytest

from overopt.catalog import lookup, systems, toml_files
from overopt.errors import UserError, harmless
from overopt.report.groups import group_results
from overopt.report.stored.reading import read_results
from report.synthetic import write_runs

from . import spoiling
from .cases import Cases
from .inprocess import bench

WORDS = (
    "--method", "-m", "--proxy", "--task", "--noise", "--kl-grid", "--seeds", "--seed", "--worlds",
    "--world", "--set", "--along", "--engine", "--gold", "dpo", "bon", "rloo", "uwo", "tabular",
    "reviews", "arithmetic", "0", "-1", "1e999", "nan", "0.25", "bt:1", "a=b", "dpo.beta=0", "x",
    "", "[/red]", "\x1b", "../x", "all", "family:pairs", "family:x", "9" * 400, "world.seed=-1",
    "pairs.max_steps=1", "٣", "1_0", "mean.members=2", "--json", "trl", "knob", "rule", "prm",
)  # fmt: skip
READING = ("list", "show", "cite", "compare", "report", "scores", "measure", "nothing")


@pytest.mark.parametrize("kind", ["methods", "proxies"])
def test_own_files(kind: str, tmp_path: Path) -> None:
    rng, texts = random.Random(0), [path.read_text() for path in lookup.files(kind).values()]
    read = systems.method if kind == "methods" else systems.proxy
    cases = Cases(f"own files, {kind}", 100)
    for number in cases:
        path = tmp_path / f"mine_{number}.py"
        spoiled = spoiling.spoil_code(rng.choice(texts), rng)
        path.write_text(spoiled, encoding="utf-8", errors="surrogatepass")
        cases.try_out(partial(read, str(path)))
        path.unlink()
    cases.check(least=0.2)


@pytest.mark.parametrize("kind", ["tasks", "gold"])
def test_declarations(kind: str, tmp_path: Path) -> None:
    rng, folder = random.Random(1), lookup.data_folder(kind)
    texts = [(folder / f"{name}.toml").read_text() for name in lookup.shipped(kind)]
    read = toml_files.load_task if kind == "tasks" else toml_files.load_gold
    path = tmp_path / "mine.toml"
    cases = Cases(f"declarations, {kind}", 100)
    for _ in cases:
        path.write_text(spoiling.spoil_toml(rng.choice(texts), rng), encoding="utf-8")
        cases.try_out(lambda: read(str(path)))
    cases.check(least=0.5)


def test_command_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but an exit code comes out, and a mistake is one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVEROPT_STORE", str(tmp_path / "store"))
    rng, cases = random.Random(2), Cases("command lines", 200)
    for _ in cases:
        words = [rng.choice(READING), *rng.choices(WORDS, k=rng.randint(0, 3))]
        if rng.random() < 0.7:
            words = ["plan", *rng.choices(WORDS, k=rng.randint(1, 7)), "--task", "tabular"]
        cases.try_out(partial(give, words))
    cases.check(least=0.2)


def give(words: list[str]) -> None:
    """A command whose refusal is raised as the sentence that it prints."""
    ended = bench(*words)
    assert ended.code in (0, 2), f"{words}: {ended}"
    assert harmless(ended.printed) == ended.printed
    if ended.code == 2:
        sentence, rest = ended.told.removeprefix("error: ").split("\n", 1)
        assert ended.told.startswith("error: ") and not rest, f"{words}: {ended}"
        raise UserError(sentence)


def test_results_folders(tmp_path: Path) -> None:
    rng, cases = random.Random(3), Cases("results folders", 200)
    good = write_runs(tmp_path / "good", ("dpo",), ("single",), ("0",), seeds=(0, 1), failed=())[0]
    whole = {path.name: path.read_bytes() for path in sorted(good.iterdir())}
    for _ in cases:
        name = rng.choice(list(whole))
        path, chance = good / name, rng.random()
        if path.suffix == ".json" and chance < 0.7:
            path.write_text(json.dumps(spoiling.spoil(json.loads(whole[name]), rng)))
        elif path.suffix == ".csv" and chance < 0.7:
            path.write_text(spoiling.spoil_csv(whole[name].decode(), rng))
        else:
            path.write_bytes(spoiling.spoil_bytes(whole[name], rng))
        cases.try_out(lambda: group_results(read_results([tmp_path / "good"])))
        path.write_bytes(whole[name])
    cases.check(least=0.25)
