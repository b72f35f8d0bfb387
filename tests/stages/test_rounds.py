"""Members that are trained more than once, each time told what the round before says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.member_loss import MemberLoss
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import Member
from overopt.catalog import systems
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.run.own_files import without_place
from overopt.stages import proxy
from overopt.stages.own import proxy as own_proxy
from overopt.worlds.contract import build
from systems import path

from .conftest import PROXY, WORLD

OWN = {"repeated.py": path("repeated")}
PARAMS = {"world": WORLD.to_json(), "seed": 0, "proxy": PROXY.to_json(), "member": 0}


def train(artifacts: dict[str, Path], out: Path, **config: Any) -> Path:
    out.mkdir()
    system = without_place(systems.proxy(str(path("repeated")), config)).to_json()
    own_proxy.run({**PARAMS, "system": system}, {"labels": artifacts["labels"], **OWN}, out, silent)
    return out


def test_rounds_that_learn_the_same_end_the_same(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    """Each starts anew, from the same weights and batches: byte for byte a plain proxy."""
    found = train(artifacts, tmp_path / "own", weight=0.0, times=2)
    (tmp_path / "plain").mkdir()
    proxy.run(PARAMS, {"labels": artifacts["labels"]}, tmp_path / "plain", silent)
    for name in ("model/model.safetensors", "normalization.json", "training.json"):
        assert (found / name).read_bytes() == (tmp_path / "plain" / name).read_bytes(), name


def test_a_round_is_told_the_margins_of_the_one_before(
    artifacts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    class Spy(MemberLoss):
        def __init__(self, *given: Any) -> None:
            told.append(given[-1])
            super().__init__(*given)

    monkeypatch.setattr(own_proxy, "MemberLoss", Spy)
    once = train(artifacts, tmp_path / "once", times=1)
    world = build(WORLD)
    pairs = load_preferences(artifacts["labels"], world).preferences
    member = Member(once, world)
    expected_P = member.sd * (
        member.score(pairs.prompts, pairs.chosen) - member.score(pairs.prompts, pairs.rejected)
    )
    twice = train(artifacts, tmp_path / "twice", times=2)
    assert told[0] is None and told[1] is None
    assert told[2] == pytest.approx(expected_P, abs=1e-4)
    assert np.std(expected_P) > 0.01
    weights = "model/model.safetensors"
    assert (once / weights).read_bytes() != (twice / weights).read_bytes()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('ROUNDS = "times"', 'ROUNDS = "time"'),
        ("times: int = param(2,", "times: int = param(0,"),
        ("def loss", "def combine(config, score_MN): return score_MN.mean(0)\n\n\ndef lost"),
    ],
)
def test_what_rounds_need_is_told(old: str, new: str, tmp_path: Path) -> None:
    text = path("repeated").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match="ROUNDS names a field of Config that is a count from 1"):
        systems.proxy(str(tmp_path / "mine.py"))
