"""A head that is set after training, by the states of the comparisons that it learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from overopt.artifacts.own_proxy import open_member
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import read_json
from overopt.catalog import systems
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.models.rewards.pairwise import read_trunk
from overopt.run.own_files import without_place
from overopt.spec.noise import NoiseSpec
from overopt.stages.own import label_columns
from overopt.stages.own import proxy as own_proxy
from overopt.worlds.contract import build
from systems import path

from .conftest import PROXY, WORLD


def train(artifacts: dict[str, Path], out: Path, system: Path) -> dict[str, object]:
    """Train the system of a file; returns its JSON, as stages are given it."""
    columns = out.with_suffix(".columns")
    for folder in (out, columns):
        folder.mkdir()
    shared = {"world": WORLD.to_json(), "seed": 0}
    inputs = {role: artifacts[role] for role in ("labels", "gold", "pool")}
    noise = NoiseSpec.parse("0").to_json()
    label_columns.run({**shared, "columns": ["category"], "noise": noise}, inputs, columns, silent)
    spec = without_place(systems.proxy(str(system))).to_json()
    own_proxy.run(
        {**shared, "proxy": PROXY.to_json(), "member": 0, "system": spec},
        {"labels": artifacts["labels"], "columns": columns, system.name: system},
        out,
        silent,
    )
    return spec


def test_what_it_is_set_to_is_written_and_scores_come_after_it(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "proxy"
    spec = train(artifacts, folder, path("settled"))
    world = build(WORLD)
    member = open_member(folder, world, spec, {"settled.py": path("settled")})
    pairs = load_preferences(artifacts["labels"], world).preferences
    sides = (pairs.chosen, pairs.rejected)
    last_BD = torch.cat([read_trunk(member.model, pairs.prompts, side).last_BD for side in sides])
    center_D = member.model.head.center_D
    torch.testing.assert_close(center_D, last_BD.mean(0), atol=1e-5, rtol=0)
    heldout = load_preferences(artifacts["labels"], world, "heldout").preferences
    score_N = np.concatenate(
        [member.score(heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)]
    )
    assert score_N.mean() == pytest.approx(0.0, abs=1e-5)
    assert score_N.std(ddof=1) == pytest.approx(1.0, abs=1e-5)
    margin_P = score_N[: heldout.rows()] - score_N[heldout.rows() :]
    told = read_json(folder / "training.json")["heldout_accuracy"]
    assert told == pytest.approx(((margin_P > 0) + 0.5 * (margin_P == 0)).mean())


def test_what_is_not_finite_is_told(artifacts: dict[str, Path], tmp_path: Path) -> None:
    text = path("settled").read_text(encoding="utf-8")
    (tmp_path / "mine.py").write_text(text.replace("both_BD.mean(0)", "both_BD.mean(0) / 0"))
    with pytest.raises(FloatingPointError, match="settle has set center_D to NaN or infinity"):
        train(artifacts, tmp_path / "proxy", tmp_path / "mine.py")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def make_head(", "def head(", "INPUTS are for a loss of a model with a head of its own"),
        ('("states",)', '("logps",)', "a model that keeps its language head"),
    ],
)
def test_what_it_needs_is_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = path("settled").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=said):
        systems.proxy(str(tmp_path / "mine.py"))


def test_settle_is_for_a_head_of_single_responses(tmp_path: Path) -> None:
    text = path("compared").read_text(encoding="utf-8")
    settle = "\n\ndef settle(config, head, trained):\n    pass\n"
    (tmp_path / "mine.py").write_text(text + settle)
    with pytest.raises(UserError, match="settle is for a head that scores single responses"):
        systems.proxy(str(tmp_path / "mine.py"))
