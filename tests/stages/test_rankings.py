"""How the policies of a run rank pairs, against every pair scored one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import read_json, write_json
from overopt.execution.contract import silent
from overopt.models.folders import save_model
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.models.starts.scratch import build_policy
from overopt.stages.beside import rankings
from overopt.worlds.contract import build, context_tokens

from .conftest import POLICY, WORLD

PAIRS = 20


@pytest.fixture(scope="module")
def optimized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one policy, which knows nothing of the initial one."""
    folder, world = tmp_path_factory.mktemp("rankings"), build(WORLD)
    assert POLICY.architecture is not None
    policy = build_policy(POLICY.architecture, len(world.vocabulary), context_tokens(world), 7)
    save_model(policy, folder / "snapshots/3/model", world.vocabulary)
    write_json(
        folder / "optimize.json", {"snapshots": [{"step": 3, "folder": "snapshots/3/model"}]}
    )
    return folder


def _rank(
    artifacts: dict[str, Path], optimized: Path, out: Path, **more: object
) -> list[dict[str, Any]]:
    out.mkdir()
    params = {"world": WORLD.to_json(), "beta": 0.1, "right_share": 0.75, "pairs": PAIRS, **more}
    inputs = {role: artifacts[role] for role in ("initial", "labels")}
    rankings.run(params, {**inputs, "optimize": optimized}, out, silent)
    rows: list[dict[str, Any]] = read_json(out / rankings.RANKINGS)
    return rows


def test_every_number_is_that_of_the_pairs_scored_by_hand(
    artifacts: dict[str, Path], optimized: Path, tmp_path: Path
) -> None:
    start, after = _rank(artifacts, optimized, tmp_path / "out")
    world = build(WORLD)
    folders = (artifacts["initial"] / "model", optimized / "snapshots/3/model")
    margins: dict[str, list[np.ndarray]] = {}
    for name in ("heldout", "labels"):
        pairs = load_preferences(artifacts["labels"], world, name).preferences
        margins[name] = [
            np.array(
                [
                    score_logps(policy, one.prompts, one.chosen).sum()
                    - score_logps(policy, one.prompts, one.rejected).sum()
                    for one in (pairs.take(np.array([p])) for p in range(PAIRS))
                ]
            )
            for policy in map(load_policy, folders)
        ]
    before_P, now_P = margins["heldout"]
    assert (start["step"], after["step"]) == (0, 3)
    assert start["ranking"] == (before_P > 0).mean()
    assert after["ranking"] == (now_P > 0).mean()
    assert start["ranking"] != after["ranking"]
    assert start["implicit"] == 0.0
    assert after["implicit"] == (now_P > before_P).mean()
    wrong_P = margins["labels"][0] <= 0
    assert start["flipped"] == 0.0
    assert after["flipped"] == (margins["labels"][1][wrong_P] > 0).mean()
    assert start["heldout_loss_nats"] == pytest.approx(np.log(2.0))
    loss = np.log1p(np.exp(-0.1 * (now_P - before_P))).mean()
    assert after["heldout_loss_nats"] == pytest.approx(loss, abs=1e-5)
    assert after["ranking_ideal"] == (before_P + np.log(3.0) / 0.1 > 0).mean()


def test_without_a_beta_or_a_known_rate_there_is_no_ideal(
    artifacts: dict[str, Path], optimized: Path, tmp_path: Path
) -> None:
    *_, after = _rank(artifacts, optimized, tmp_path / "one", beta=None)
    assert after["ranking_ideal"] is None and after["heldout_loss_nats"] is None
    *_, after = _rank(artifacts, optimized, tmp_path / "other", right_share=None)
    assert after["ranking_ideal"] is None and after["heldout_loss_nats"] is not None
