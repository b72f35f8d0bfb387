"""A method behind walls: the same weights as outside, and nothing of gold to be found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyarrow import parquet

from overopt.artifacts.tables import read_json
from overopt.catalog.methods import method
from overopt.catalog.systems import proxy as system
from overopt.errors import UserError
from overopt.execution.code.modules import load_module
from overopt.execution.contract import silent
from overopt.leaderboard.sandbox import parcel, sealed
from overopt.leaderboard.sandbox.delivery import Sender
from overopt.leaderboard.sandbox.launch import Unavailable, require_walls
from overopt.leaderboard.sandbox.training import train
from overopt.leaderboard.sandbox.weights import read_weights
from overopt.models.policy import load_policy
from overopt.spec.noise import NoiseSpec
from overopt.spec.pairs import PairsSpec
from overopt.spec.policy import PolicySpec
from overopt.spec.proxy import ProxySpec
from overopt.spec.training import ArchitectureSpec, TrainingSpec
from overopt.spec.world import WorldSpec
from overopt.stages import gold, initial, labels, optimize, pairs, pool, proxy
from overopt.worlds.contract import build

try:
    require_walls()
    REASON = ""
except Unavailable as error:
    REASON = str(error)
walled = pytest.mark.skipif(bool(REASON), reason=REASON or "walls stand")

SEED = 987654321
WORLD = WorldSpec(kind="tabular", seed=SEED, train_prompts=16, heldout_prompts=6)
_TRAINING = TrainingSpec.model_validate({"learning_rate": 1e-2, "batch_size": 64, "epochs": 1})
_SMALL = ArchitectureSpec(layers=1, width=8, heads=1)
_STEPS = PairsSpec(
    learning_rate=3e-3, batch_size=32, max_steps=3, warmup_steps=0, max_gradient_norm=1.0
)
Inputs = dict[str, Path]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    root = tmp_path_factory.mktemp("artifacts")
    made: Inputs = {}
    policy = PolicySpec(architecture=_SMALL, examples=128, training=_TRAINING)
    scores = ProxySpec(
        architecture=_SMALL, comparisons=64, training=_TRAINING, calibration_samples=64
    )
    for stage, params, inputs in (
        (initial, {"policy": policy.to_json()}, ()),
        (gold, {"gold": {"name": "rule", "summary": "", "kind": "rule"}}, ("initial",)),
        (pool, {"samples_per_prompt": 16}, ("initial", "gold")),
        (
            pairs,
            {"comparisons": 64, "calibration_samples": 64, "responses": "policy"},
            ("initial",),
        ),
        (
            labels,
            {"noise": NoiseSpec.parse("0.25").to_json(), "preference": "gold"},
            ("pairs", "gold", "pool"),
        ),
        (proxy, {"proxy": scores.to_json(), "member": 0}, ("labels",)),
    ):
        name = stage.__name__.rpartition(".")[2]
        made[name] = root / name
        made[name].mkdir()
        known = {"world": WORLD.to_json(), "seed": 5, **params}
        stage.run(known, {role: made[role] for role in inputs}, made[name], silent)
    return made


@pytest.fixture
def spy(tmp_path: Path) -> Path:
    return Path(shutil.copy(Path(__file__).with_name("spy.py"), tmp_path / "spy.py"))


def asked(own: Path, artifacts: Inputs, **more: Any) -> tuple[dict[str, Any], Inputs]:
    spec = method(str(own))
    params = {
        "world": WORLD.to_json(),
        "method": spec.model_copy(update={"source": own.name}).to_json(),
        "settings": _STEPS.to_json(),
        "kl_grid_nats": [],
        "engine": "native",
        "seed": 5 + (SEED << 32),
        **more,
    }
    inputs = {role: artifacts[role] for role in ("initial", "labels")}
    return params, {**inputs, own.name: own}


@walled
def test_behind_walls_a_method_learns_the_same_and_finds_no_gold(
    spy: Path, artifacts: Inputs, tmp_path: Path
) -> None:
    """The parcel run without walls, by the shipped file of the same loss: the same weights."""
    params, inputs = asked(spy, artifacts)
    out = tmp_path / "out"
    out.mkdir()
    sealed.run(params, inputs, out, silent)
    record = read_json(out / "optimize.json")
    (snapshot,) = record["snapshots"]
    assert snapshot["step"] == 3
    weights = load_policy(out / snapshot["folder"]).state_dict()
    folder = tmp_path / "parcel"
    folder.mkdir()
    told = parcel.pack(folder, params, inputs, build(WORLD))
    plain = {**told, "method": method("dpo").model_copy(update={"name": "spy"}).to_json()}
    kept: dict[str, bytes] = {}
    place = tmp_path / "plain"
    place.mkdir()

    class Kept(Sender):
        def send(self, kind: str, body: bytes = b"", **head: object) -> None:
            kept[str(head.get("name"))] = body

    arguments = {"parcel": str(folder), "params": plain, "roles": sorted(inputs)}
    load_module("overopt.methods.pairs.dpo")
    train({**arguments, "scratch": str(place)}, Kept(0))
    wanted = load_policy(artifacts["initial"] / "model").state_dict()
    outside = read_weights(kept["step_000003.safetensors"], wanted, "outside")
    assert any(not torch.equal(weights[name], wanted[name]) for name in wanted)
    for name, tensor in outside.items():
        assert torch.equal(weights[name], tensor), name


def test_outside_of_walls_the_same_file_finds_gold(
    spy: Path, artifacts: Inputs, tmp_path: Path
) -> None:
    """Else the test above could pass because the spy is blind."""
    params, inputs = asked(spy, artifacts)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RuntimeError, match="was found in memory"):
        optimize.run(params, inputs, out, silent)


def test_the_parcel_holds_no_gold_and_no_seed(spy: Path, artifacts: Inputs, tmp_path: Path) -> None:
    folder = tmp_path / "parcel"
    folder.mkdir()
    params, inputs = asked(spy, artifacts, system=system("single").to_json())
    inputs["proxy.0"] = artifacts["proxy"]
    told = parcel.pack(folder, params, inputs, build(WORLD))
    assert str(SEED) not in json.dumps(told)
    assert told["seed"] != params["seed"]
    table = parquet.read_table(folder / "labels" / "labels.parquet")
    assert set(table.column_names) == {"prompt_id", "a", "b", "a_preferred", "flipped"}
    assert not np.any(table["flipped"].to_numpy())
    assert np.any(parquet.read_table(inputs["labels"] / "labels.parquet")["flipped"].to_numpy())
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "proxy.0/training.json" not in files
    assert not any("gold" in name or "pool" in name or "heldout" in name for name in files)
    sealed_world = parcel.unpack(folder)
    whole = build(WORLD)
    held_out = {ids.tobytes() for ids in whole.heldout_prompts.ids_NT}
    for prompts in (sealed_world.train_prompts, sealed_world.heldout_prompts):
        assert held_out.isdisjoint({ids.tobytes() for ids in prompts.ids_NT})
    for ask in (sealed_world.gold, sealed_world.gold_terms):
        with pytest.raises(UserError, match="gold is not here"):
            ask(sealed_world.train_prompts, sealed_world.train_prompts)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no record"),
        (b"{}", "missing"),
        (b"[1]", "the record of mine"),
        (b'{"snapshots": NaN}', "the record of mine"),
    ],
)
def test_a_record_that_is_none_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        sealed._read_record(content, "mine", [])


def _record(**more: Any) -> bytes:
    spent = {"gradient_steps": 1, "samples_drawn": 0, "tokens_processed": 0}
    snapshot = {
        "step": 1,
        "folder": "x",
        "kl_cheap_nats": 0.5,
        "kl_target_nats": 0.5,
        "shared_kl_targets_nats": [],
        **spent,
    }
    record = {"snapshots": [snapshot], "unreached_kl_nats": [1.0], **spent, **more}
    return json.dumps(record).encode()


def test_a_record_names_each_budget_once() -> None:
    assert sealed._read_record(_record(), "mine", [0.5, 1.0]).snapshots[0].step == 1
    for budgets in ([0.5], [0.5, 1.0, 2.0], [0.5, 2.0]):
        with pytest.raises(UserError, match="each KL budget once"):
            sealed._read_record(_record(), "mine", budgets)
    with pytest.raises(UserError, match="gold"):
        sealed._read_record(_record(gold=1.0), "mine", [0.5, 1.0])


def test_weights_of_another_shape_are_refused(artifacts: Inputs) -> None:
    from safetensors.torch import save

    wanted = load_policy(artifacts["initial"] / "model").state_dict()
    good = {name: tensor.clone() for name, tensor in wanted.items()}
    name = next(iter(good))
    assert set(read_weights(save(good), wanted, "mine")) == set(wanted)
    for change, sentence in (
        ({name: good[name][:1].clone()}, "another shape"),
        ({name: good[name].double()}, "another shape or type"),
        ({name: torch.full_like(good[name], float("nan"))}, "NaN"),
        ({"extra": torch.zeros(1)}, "missing or unknown"),
    ):
        with pytest.raises(UserError, match=sentence):
            read_weights(save({**good, **change}), wanted, "mine")
    with pytest.raises(UserError, match="no safetensors"):
        read_weights(b"\x80\x04pickle", wanted, "mine")


@pytest.mark.parametrize("kind", ["F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F3"])
def test_weights_of_types_that_torch_has_not_are_refused(kind: str) -> None:
    size = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}.get(kind, 8)
    header = json.dumps({"w": {"dtype": kind, "shape": [8], "data_offsets": [0, size]}}).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(size)
    with pytest.raises(UserError, match=r"no safetensors|another shape or type"):
        read_weights(content, {"w": torch.zeros(8)}, "mine")
