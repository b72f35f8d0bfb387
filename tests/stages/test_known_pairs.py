"""What a system is shown of all pairs before training, and what its loss finds of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import read_json
from overopt.catalog import systems
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.members import OpenedMembers
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.models.rewards.probing import read_states
from overopt.proxies.contract.known import KnownPairs
from overopt.run.own_files import without_place
from overopt.spec.noise import NoiseSpec
from overopt.spec.pairs import PairsSpec
from overopt.stages import optimize, proxy
from overopt.stages.own import label_columns
from overopt.stages.own import proxy as own_proxy
from overopt.worlds.contract import build
from systems import path

from .conftest import PROXY, WORLD

STEPS = PairsSpec(
    learning_rate=1e-2, batch_size=32, max_steps=20, warmup_steps=2, max_gradient_norm=1.0
)
OWN = {"weighed.py": path("weighed")}
PARAMS = {"world": WORLD.to_json(), "seed": 0, "proxy": PROXY.to_json(), "member": 0}


@pytest.fixture(scope="module")
def inputs(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of the stage: labels, their columns, and a run of the method that the system names."""
    run, columns = (tmp_path_factory.mktemp(name) for name in ("optimized", "columns"))
    method = systems.proxy(str(path("weighed"))).optimized
    assert method is not None and method.config["beta"] == 0.3
    params = {
        "world": WORLD.to_json(),
        "method": method.to_json(),
        "settings": STEPS.to_json(),
        "kl_grid_nats": [],
        "seed": 0,
        "engine": "native",
        "member": 0,
    }
    optimize.run(params, {role: artifacts[role] for role in ("initial", "labels")}, run, silent)
    asked = {"columns": ["category"], "noise": NoiseSpec.parse("0").to_json(), "seed": 0}
    given = {role: artifacts[role] for role in ("labels", "gold", "pool")}
    label_columns.run({"world": WORLD.to_json(), **asked}, given, columns, silent)
    made = {role: artifacts[role] for role in ("labels", "initial")}
    return {**made, "optimized": run, "columns": columns, **OWN}


def train(inputs: dict[str, Path], out: Path, power: float) -> None:
    out.mkdir()
    system = without_place(systems.proxy(str(path("weighed")), {"power": power})).to_json()
    own_proxy.run({**PARAMS, "system": system}, inputs, out, silent)


def test_all_pairs_are_known_as_both_policies_read_them(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[KnownPairs] = []
    original = OpenedMembers.prepare

    def spy(self: OpenedMembers, known: KnownPairs) -> Mapping[str, Any]:
        shown.append(known)
        return original(self, known)

    monkeypatch.setattr(OpenedMembers, "prepare", spy)
    train(inputs, tmp_path / "proxy", power=1.0)
    (known,) = shown
    pairs = load_preferences(inputs["labels"], build(WORLD)).preferences
    initial = load_policy(inputs["initial"] / "model")
    last = read_json(inputs["optimized"] / "optimize.json")["snapshots"][-1]["folder"]
    policy = load_policy(inputs["optimized"] / last)
    for side, state_PD, ratio_P in (
        (pairs.chosen, known.chosen_PD, known.chosen_ratio_P),
        (pairs.rejected, known.rejected_PD, known.rejected_ratio_P),
    ):
        assert state_PD == pytest.approx(read_states(initial, pairs.prompts, side))
        expected_PT = score_logps(policy, pairs.prompts, side)
        expected_PT = expected_PT - score_logps(initial, pairs.prompts, side)
        assert ratio_P == pytest.approx(expected_PT.sum(1), abs=1e-4)
    assert known.chosen_ratio_P is not None and np.abs(known.chosen_ratio_P).mean() > 0.1
    assert known.optimized_PD is not None
    assert known.optimized_PD.shape == known.chosen_PD.shape


def test_pairs_of_weight_1_are_those_of_a_plain_proxy(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    train(inputs, tmp_path / "equal", power=0.0)
    train(inputs, tmp_path / "weighed", power=1.0)
    (tmp_path / "plain").mkdir()
    proxy.run(PARAMS, {"labels": inputs["labels"]}, tmp_path / "plain", silent)
    weights = "model/model.safetensors"
    plain = (tmp_path / "plain" / weights).read_bytes()
    assert (tmp_path / "equal" / weights).read_bytes() == plain
    assert (tmp_path / "weighed" / weights).read_bytes() != plain


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('OPTIMIZED = "dpo"', 'OPTIMIZED = "bon"', "is of the family selection"),
        ("def prepare", "def prepared", "OPTIMIZED names a method"),
        ("def loss", "def combine(config, score_MN): ...\n\n\ndef lost", "define loss"),
    ],
)
def test_what_it_needs_is_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = path("weighed").read_text(encoding="utf-8").replace('LABELS = ("category",)\n', "")
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        systems.proxy(str(tmp_path / "mine.py"))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ('{"category": known.chosen_ratio_P}', "column 'category' of shape"),
        ('{"weight": known.chosen_ratio_P[:2]}', r"'weight' of shape \(2,\) for 3 pairs"),
        ('{"weight": known.chosen_ratio_P / 0}', "returns NaN or infinity in 'weight'"),
    ],
)
def test_wrong_columns_are_told(column: str, said: str, tmp_path: Path) -> None:
    text = path("weighed").read_text(encoding="utf-8")
    head, _, rest = text.partition('    return {"weight"')
    (tmp_path / "mine.py").write_text(
        f"{head}    return {column}\n\n\ndef loss{rest.partition('def loss')[2]}", encoding="utf-8"
    )
    spec = systems.proxy(str(tmp_path / "mine.py"))
    opened = open_as(OpenedMembers, spec)
    some_P = np.ones(3)
    known = KnownPairs(some_P[:, None], some_P[:, None], {"category": some_P}, some_P, some_P)
    with np.errstate(divide="ignore"), pytest.raises(UserError, match=said):
        opened.prepare(known)
