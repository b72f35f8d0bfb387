"""A system with a loss of its own trains its members by it, and shares them with no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.artifacts.tables import read_json
from overopt.catalog import systems, toml_files
from overopt.execution.contract import silent
from overopt.run.cell import Cell
from overopt.run.graph import Graph
from overopt.spec.noise import NoiseSpec
from overopt.stages import proxy

from .conftest import PROXY, WORLD

HEAD = '''"""Mine: a loss of its own.

Paper: nobody 2026.
Deviations: none.
"""
from dataclasses import dataclass
from torch.nn.functional import logsigmoid
from overopt.spec.declare import param

@dataclass(frozen=True)
class Config:
    members: int = param(1, help="reward models", at_least=1)

'''
BRADLEY_TERRY = (
    "def loss(config, batch):\n    return -logsigmoid(batch.chosen_P - batch.rejected_P)\n"
)
HALVED = BRADLEY_TERRY.replace("return -", "return -0.5 * ")


def _train(artifacts: dict[str, Path], out: Path, own: Path | None = None) -> Path:
    out.mkdir()
    params = {"world": WORLD.to_json(), "seed": 0, "proxy": PROXY.to_json(), "member": 0}
    inputs = {"labels": artifacts["labels"]}
    if own is not None:
        params["system"] = systems.proxy(str(own)).model_copy(update={"source": own.name}).to_json()
        inputs[own.name] = own
    proxy.run(params, inputs, out, silent)
    return out


def test_bradley_terry_as_ones_own_loss_gives_the_same_bytes(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    own = tmp_path / "mine.py"
    own.write_text(HEAD + BRADLEY_TERRY)
    trained = _train(artifacts, tmp_path / "own", own)
    for name in ("model/model.safetensors", "normalization.json", "training.json"):
        assert (trained / name).read_bytes() == (artifacts["proxy"] / name).read_bytes(), name
    own.write_text(HEAD + HALVED)
    other = read_json(_train(artifacts, tmp_path / "halved", own) / "training.json")
    first = read_json(trained / "training.json")["first_loss_nats"]
    assert other["first_loss_nats"] == pytest.approx(first / 2)


def test_a_loss_of_another_shape_is_refused(artifacts: dict[str, Path], tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(HEAD + "def loss(config, batch):\n    return batch.chosen_P.mean()\n")
    with pytest.raises(ValueError, match="it must be one number for each"):
        _train(artifacts, tmp_path / "own", own)


def test_only_a_loss_of_ones_own_is_part_of_the_key(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(HEAD + BRADLEY_TERRY)
    task = toml_files.load_task("tabular")
    gold, noise = toml_files.load_gold(task.gold), NoiseSpec.parse("0")
    method = systems.method("bon")
    keys = []
    for name in ("single", "uwo", str(own)):
        system = systems.proxy(name)
        made = Graph(Cell(task, gold, method, system, noise, 0)).proxy(0)
        assert ("system" in made.params) == system.own_loss == (name == str(own))
        keys.append(made.key)
    assert keys[0] == keys[1] != keys[2]
