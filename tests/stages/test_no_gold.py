"""No method and no proxy sees gold: other gold scores beside the same labels change nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overopt.catalog import lookup, systems, toml_files
from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.methods.contract import (
    iterative,
    pairs,
    reading,
    rollout,
    samples,
    selection,
    training,
)
from overopt.run.cell import Cell
from overopt.run.graph import Graph
from overopt.spec.method import MethodSpec
from overopt.spec.noise import NoiseSpec
from overopt.spec.system import ProxySystemSpec

from .test_families import run_optimize

TASK = Path(__file__).parents[1] / "end_to_end" / "tiny.toml"


def own(kind: str, name: str, folder: Path) -> str:
    """A copy of a shipped file as one of the user's own."""
    path = folder / f"my_{name}.py"
    shutil.copy(lookup.files(kind)[name], path)
    return str(path)


def graph(method: MethodSpec, proxy: ProxySystemSpec) -> Graph:
    task, gold = toml_files.load_task(str(TASK)), toml_files.load_gold("rule")
    return Graph(Cell(task, gold, method, proxy, NoiseSpec.parse("0"), 0))


def roles(made: Node) -> set[str]:
    return {role.rstrip("0123456789") for role, _ in made.inputs}


@pytest.mark.parametrize("name", ["dpo", "rloo", "superhf", "warp"])
def test_gold_is_no_input_of_training(name: str, tmp_path: Path) -> None:
    method = systems.method(own("methods", name, tmp_path))
    proxy = systems.proxy(own("proxies", "uwo", tmp_path))
    optimized = graph(method, proxy).optimize(None, (0.1,))
    assert method.uses_gold == "none"
    assert roles(optimized) <= {"initial", "labels", "proxy."}
    if method.family == "merge":
        assert roles(graph(method, proxy).merge((0.1,))) == {"initial", "optimize."}


def test_gold_is_an_input_of_what_observes_it_and_says_so(tmp_path: Path) -> None:
    path = Path(own("methods", "rloo", tmp_path))
    text = path.read_text(encoding="utf-8")
    hooks = (
        "def begin(config, initial):\n    return 0\n\n\n"
        "def observe_gold(config, memory, gold_BN):\n    return 1\n"
    )
    path.write_text(f"{text}\n\n{hooks}", encoding="utf-8")
    with pytest.raises(UserError, match="observe_gold is handed gold, so that the file has to say"):
        systems.method(str(path))
    path.write_text(
        f"{text}\n\n{hooks}".replace('USES_GOLD = "none"', 'USES_GOLD = "selection"'), "utf-8"
    )
    method, proxy = systems.method(str(path)), systems.proxy(own("proxies", "uwo", tmp_path))
    found = roles(graph(method, proxy).optimize(None, (0.1,)))
    assert found == {"initial", "proxy.", "observed.gold", "observed.pool"}


def test_a_score_has_samples_and_a_proxy_and_nothing_else(tmp_path: Path) -> None:
    proxy = systems.proxy(own("proxies", "uwo", tmp_path))
    made = graph(systems.method("bon"), proxy)
    assert roles(made.score(0, made.pool, "the pool")) == {"samples", "proxy"}


def test_nothing_that_a_method_is_handed_has_a_place_for_gold() -> None:
    handed = (
        reading.Reading,
        pairs.PairBatch,
        iterative.SamplePairs,
        samples.Rollout,
        rollout.RolloutStep,
        selection.ScoredPool,
        training.HiddenStates,
    )
    for one in handed:
        assert not [field for field in one._fields if "gold" in field], one.__name__


@pytest.mark.parametrize("name", ["dpo", "rloo"])
def test_other_gold_scores_beside_the_same_labels_change_no_weight(
    name: str, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    method = systems.method(own("methods", name, tmp_path))
    labels = tmp_path / "labels"
    shutil.copytree(artifacts["labels"], labels)
    table = pq.read_table(labels / "labels.parquet")
    gold = [column for column in table.column_names if "gold" in column]
    assert gold, "the labels keep what gold said, for the record"
    rng = np.random.default_rng(0)
    for column in gold:
        drawn = pa.array(rng.normal(size=len(table))).cast(table.schema.field(column).type)
        table = table.set_column(table.column_names.index(column), column, drawn)
    pq.write_table(table, labels / "labels.parquet")
    run_optimize(method, artifacts, tmp_path / "one")
    run_optimize(method, {**artifacts, "labels": labels}, tmp_path / "two")
    (weights,) = (tmp_path / "one").rglob("model.safetensors")
    other = tmp_path / "two" / weights.relative_to(tmp_path / "one")
    assert weights.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        "from overopt.worlds.contract import build",
        "import overopt.stages.gold",
        "from overopt import catalog",
        "from overopt.execution.store import Store",
    ],
)
def test_a_file_that_reaches_for_gold_is_refused(line: str, tmp_path: Path) -> None:
    for kind, name in (("methods", "dpo"), ("proxies", "mean")):
        path = Path(own(kind, name, tmp_path))
        text = path.read_text(encoding="utf-8")
        path.write_text(f"{text}\n\ndef peek():\n    {line}\n", encoding="utf-8")
        with pytest.raises(UserError, match="numbers only, never gold"):
            lookup.declaration(kind, str(path))
