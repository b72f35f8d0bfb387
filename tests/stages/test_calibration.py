"""Calibration of the policies of a run, against every pair read one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import read_json, write_json
from overopt.execution.contract import silent
from overopt.models.folders import save_model
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.models.starts.scratch import build_policy
from overopt.stages.beside import calibration
from overopt.stats.diagnostics.choices import choice_calibration
from overopt.worlds.contract import build, context_tokens

from .conftest import POLICY, WORLD

PAIRS = 20


def test_every_error_is_that_of_the_held_out_pairs(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    world = build(WORLD)
    assert POLICY.architecture is not None
    policy = build_policy(POLICY.architecture, len(world.vocabulary), context_tokens(world), 7)
    save_model(policy, tmp_path / "snapshots/3/model", world.vocabulary)
    write_json(
        tmp_path / "optimize.json", {"snapshots": [{"step": 3, "folder": "snapshots/3/model"}]}
    )
    inputs = {role: artifacts[role] for role in ("initial", "labels")}
    params = {"world": WORLD.to_json(), "pairs": PAIRS}
    calibration.run(params, {**inputs, "optimize": tmp_path}, tmp_path, silent)
    rows = read_json(tmp_path / calibration.CALIBRATION)
    assert [row["step"] for row in rows] == [0, 3]
    pairs = load_preferences(artifacts["labels"], world, "heldout").preferences
    folders = (artifacts["initial"] / "model", tmp_path / "snapshots/3/model")
    for row, model in zip(rows, map(load_policy, folders), strict=True):
        margin_P = [
            score_logps(model, one.prompts, one.chosen).sum(dtype=float)
            - score_logps(model, one.prompts, one.rejected).sum(dtype=float)
            for one in (pairs.take(np.array([p])) for p in range(PAIRS))
        ]
        assert row["choice_error"] == pytest.approx(choice_calibration(margin_P), abs=1e-4)
    assert rows[0]["choice_error"] != rows[1]["choice_error"]
