"""The optimize stage on both engines: the same files, so that no later stage knows of engines."""

from __future__ import annotations

import csv
import importlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from overopt.catalog import systems, toml_files
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.execution.node import Node, ancestry
from overopt.models.policy import load_policy
from overopt.run.cell import Cell
from overopt.run.graph import Graph
from overopt.spec.engine import Engine
from overopt.spec.noise import NoiseSpec

from .runs import OF_ROUNDING

SMALL: dict[str, object] = {
    "policy.examples": 256,
    "policy.training.epochs": 1,
    "proxy.comparisons": 64,
    "proxy.calibration_samples": 32,
    "proxy.training.epochs": 1,
    "pairs.max_steps": 8,
    "pairs.batch_size": 21,
    "rollout.max_steps": 5,
    "evaluation.pool_samples_per_prompt": 8,
}
BUDGETS = (0.0005, 0.002, 30.0)


class Workshop:
    """Builds stages in a folder; each once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def build(self, wanted: Node, kept: Path | None = None) -> Path:
        """The artifact of a node."""
        for made in ancestry([wanted]):
            out = self.root / made.key
            if out.exists():
                continue
            out.mkdir()
            stage = importlib.import_module(made.stage)
            inputs = {role: self.root / given.key for role, given in made.inputs}
            extra = {"kept": kept} if made.name == "optimize" else {}
            stage.run(dict(made.params), inputs, out, silent, **extra)
        return self.root / wanted.key


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("artifacts"))


def optimized(method: str, engine: Engine, **options: Any) -> Node:
    settings = {f"trl.{name}": value for name, value in options.items()}
    cell = Cell(
        toml_files.load_task("tabular", {**SMALL, **settings}),
        toml_files.load_gold("rule"),
        systems.method(method, {}),
        systems.proxy("single", {}),
        NoiseSpec.parse("0"),
        0,
        engine,
    )
    return Graph(cell).optimize(None, BUDGETS, 1 if cell.method.family == "merge" else None)


def _relative(method: str) -> float:
    """How far numbers may part; sparsepo's masks take a first step that rounding chooses."""
    return OF_ROUNDING if method == "sparsepo" else 1e-3


def assert_same_files(one: Path, other: Path, relative: float = 1e-3) -> None:
    """Equal file names, and equal contents of the tables but for rounding."""
    listed = sorted(str(path.relative_to(one)) for path in one.rglob("*"))
    assert sorted(str(path.relative_to(other)) for path in other.rglob("*")) == listed
    first, second = (json.loads((at / "optimize.json").read_text()) for at in (one, other))
    assert first.keys() == second.keys()
    assert first["unreached_kl_nats"] == second["unreached_kl_nats"] == [30.0]
    for ours, theirs in zip(first["snapshots"], second["snapshots"], strict=True):
        kl_nats = ours.pop("kl_cheap_nats")
        assert theirs.pop("kl_cheap_nats") == pytest.approx(kl_nats, rel=relative, abs=1e-6)
        assert ours == theirs
        load_policy(other / theirs["folder"])
    rows, others = (list(csv.DictReader((at / "trajectory.csv").open())) for at in (one, other))
    assert len(rows) == len(others)
    for number, (row, its) in enumerate(zip(rows, others, strict=True)):
        assert list(row) == list(its)
        for name in row:
            if name == "accuracy" and number == 0:
                continue  # the policy is the reference still: every margin is rounding
            if row[name] == "":
                assert its[name] == ""
            else:
                assert float(its[name]) == pytest.approx(float(row[name]), rel=relative, abs=1e-5)


@pytest.mark.parametrize("method", ["dpo", "rloo", "ppo", "elastic-reset", "sparsepo", "warp"])
def test_both_engines_write_the_same(method: str, workshop: Workshop) -> None:
    native = workshop.build(optimized(method, "native"))
    assert_same_files(native, workshop.build(optimized(method, "trl")), _relative(method))


@pytest.mark.parametrize(
    ("method", "micro_batch"), [("dpo", 4), ("sparsepo", 0), ("rloo", 24), ("ppo", 0), ("ppo", 24)]
)
def test_two_processes_write_what_one_writes(
    method: str, micro_batch: int, workshop: Workshop, tmp_path: Path
) -> None:
    one = workshop.build(optimized(method, "trl"))
    # 21 pairs and 16 prompts in two processes, a few at a time
    several = optimized(method, "trl", processes=2, micro_batch=micro_batch)
    assert_same_files(one, workshop.build(several, tmp_path / "kept"), _relative(method))


TWO_PROCESSES = """
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_GPU
use_cpu: false
mixed_precision: "no"
num_machines: 1
num_processes: 2
machine_rank: 0
main_process_ip: 127.0.0.1
main_process_port: {port}
rdzv_backend: static
same_network: true
"""


def test_accelerate_launches_what_its_configuration_says(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # the processes then meet over gloo
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    written = tmp_path / "accelerate.yaml"
    written.write_text(TWO_PROCESSES.format(port=port))
    several = optimized("dpo", "trl", processes=2, accelerate_config=str(written))
    one = workshop.build(optimized("dpo", "trl"))
    assert_same_files(one, workshop.build(several, tmp_path / "kept"))


def test_an_error_in_one_of_several_processes_is_told_as_it_was(workshop: Workshop) -> None:
    broken = optimized("dpo", "trl", processes=2)
    params: dict[str, Any] = json.loads(json.dumps(dict(broken.params)))
    params["settings"]["learning_rate"] = 1e30
    params["kl_grid_nats"] = []
    inputs = {role: workshop.build(given) for role, given in broken.inputs}
    stage = importlib.import_module("overopt.stages.optimize")
    out = workshop.root / "broken"
    out.mkdir()
    with pytest.raises(FloatingPointError, match=r"^dpo: step \d: loss nan"):
        stage.run(params, inputs, out, silent)


@pytest.mark.parametrize("kind", ["MULTI_CPU", "MULTI_GPU"])
def test_a_configuration_that_would_start_one_process_is_refused(
    kind: str, workshop: Workshop, tmp_path: Path
) -> None:
    written = tmp_path / "accelerate.yaml"
    text = TWO_PROCESSES.format(port=29500).replace("use_cpu: false", "use_cpu: true")
    written.write_text(text.replace("MULTI_GPU", kind))
    with pytest.raises(UserError, match=r"accelerate launch starts several processes on CPUs by"):
        workshop.build(optimized("dpo", "trl", processes=2, accelerate_config=str(written)))


def test_a_missing_configuration_of_accelerate_is_told(workshop: Workshop) -> None:
    with pytest.raises(UserError, match=r"trl\.accelerate_config: there is no file nowhere\.yaml"):
        workshop.build(optimized("dpo", "trl", accelerate_config="nowhere.yaml"))


def test_engines_and_their_options_have_keys_of_their_own() -> None:
    native, inside = optimized("dpo", "native"), optimized("dpo", "trl")
    assert native.params["engine"] == "native"
    assert inside.params["engine"] == "trl"
    assert "trl" not in native.params
    assert len({node.key for node in (native, inside, optimized("dpo", "trl", bf16=True))}) == 3
    assert optimized("dpo", "native", bf16=True).key == native.key
    assert inside.resources.timeout_s is None


def test_the_native_engine_does_not_import_trl() -> None:
    program = "import sys, overopt.stages.optimize; sys.exit('trl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_work_of_another_family_is_refused(workshop: Workshop) -> None:
    made = optimized("dpo", "trl")
    params: dict[str, Any] = json.loads(json.dumps(dict(made.params)))
    params["method"] |= {"family": "iterative", "member_family": None}
    inputs = {role: workshop.build(given) for role, given in made.inputs}
    stage = importlib.import_module("overopt.stages.optimize")
    with pytest.raises(UserError, match="dpo: the trl engine runs the families pairs and rollout"):
        stage.run(params, inputs, workshop.root, silent)
