"""A proxy whose scores are taken against those of frozen responses to the same prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.anchored_proxy import open_member
from overopt.artifacts.opponents import Opponents
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import Member
from overopt.artifacts.reward import open_reward
from overopt.artifacts.scores import aligned_scores
from overopt.artifacts.tables import Table
from overopt.catalog import systems
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.models.rewards.reward import score as raw_score
from overopt.run.own_files import without_place
from overopt.stages import score
from overopt.stages.own import anchored_proxy, opponents
from overopt.worlds.contract import build
from systems import path

from .conftest import WORLD

OWN = {"anchored.py": path("anchored")}
SYSTEM = without_place(systems.proxy(str(path("anchored")))).to_json()


@pytest.fixture(scope="module")
def made(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    frozen, out = (tmp_path_factory.mktemp(name) for name in ("frozen", "anchored"))
    params = {"world": WORLD.to_json(), "per_prompt": 3, "seed": 0}
    opponents.run(params, {"initial": artifacts["initial"]}, frozen, silent)
    inputs = {"member": artifacts["proxy"], "opponents": frozen, "labels": artifacts["labels"]}
    params = {"world": WORLD.to_json(), "system": SYSTEM}
    anchored_proxy.run(params, {**inputs, **OWN}, out, silent)
    return out


def test_each_response_is_taken_against_the_frozen_ones_of_its_prompt(
    artifacts: dict[str, Path], made: Path
) -> None:
    world = build(WORLD)
    member = open_member(made, world, SYSTEM, OWN)
    plain, store = Member(artifacts["proxy"], world).model, Opponents(made)
    prompts = world.heldout_prompts.take(np.array([0, 3, 0, 5]))
    responses = world.references(prompts, np.random.default_rng(0))
    expected = []
    for row in range(4):
        asked = prompts.take(np.array([row]))
        theirs = store.of(store.find(asked))
        frozen_J = raw_score(plain, asked.take(np.zeros(3, dtype=int)), theirs)
        own = raw_score(plain, asked, responses.take(np.array([row])))[0]
        expected.append((own - frozen_J.mean()) ** 3)
    found_N = member.score(prompts, responses)
    assert found_N == pytest.approx((np.array(expected) - member.mean) / member.sd, abs=1e-5)
    assert member.score(prompts, responses) == pytest.approx(found_N)  # by what was kept


def test_scores_are_normalized_and_every_reader_scores_alike(
    artifacts: dict[str, Path], made: Path, tmp_path: Path
) -> None:
    world = build(WORLD)
    member = open_member(made, world, SYSTEM, OWN)
    heldout = load_preferences(artifacts["labels"], world, "heldout").preferences
    score_N = np.concatenate(
        [member.score(heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)]
    )
    assert score_N.mean() == pytest.approx(0.0, abs=1e-6)
    assert score_N.std(ddof=1) == pytest.approx(1.0, abs=1e-6)
    params = {"world": WORLD.to_json(), "system": SYSTEM}
    score.run(params, {"samples": artifacts["pool"], "proxy": made, **OWN}, tmp_path, silent)
    samples = Table(artifacts["pool"] / "samples.parquet")
    prompts = world.heldout_prompts.take(samples.integers("prompt_id"))
    expected_N = member.score(prompts, samples.tokens("response"))
    assert aligned_scores(tmp_path, samples) == pytest.approx(expected_N, abs=1e-6)
    reward = open_reward({"proxy.0": made, **OWN}, SYSTEM, world)
    assert np.array_equal(reward(prompts, samples.tokens("response")), expected_N)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    references: int", "    others: int"),
        ("def transform", 'START = "policy"\n\n\ndef vary(config, member): ...\n\n\ndef transform'),
    ],
)
def test_what_a_transformation_needs_is_told(old: str, new: str, tmp_path: Path) -> None:
    text = path("anchored").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match="transform is for plain reward models"):
        systems.proxy(str(tmp_path / "mine.py"))
