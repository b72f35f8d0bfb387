"""The pool world on real responses, where a table of them is at hand.

``OVEROPT_POOL_DATA`` names the table; it is somebody else's and no part of the project.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.tables import Table, read_json
from overopt.execution.contract import silent
from overopt.spec.hub import TaskWorldSpec
from overopt.spec.pool import PoolSpec
from overopt.stages.pooled import listing, pairs, pool
from overopt.stats.pools.listed import by_quantile, kl_listed
from overopt.worlds.contract import build
from overopt.worlds.pool.responses import read_responses
from overopt.worlds.pool.world import PoolWorld

DATA = os.environ.get("OVEROPT_POOL_DATA", "")
pytestmark = pytest.mark.skipif(not Path(DATA).is_file(), reason="OVEROPT_POOL_DATA is no file")
SPEC = TaskWorldSpec(
    kind="pool", seed=0, train_prompts=200, heldout_prompts=64,
    pool=PoolSpec(file=DATA or "none", prompt_tokens=200, response_tokens=64),
)  # fmt: skip


def test_every_row_is_read() -> None:
    assert SPEC.pool is not None
    rows = read_responses(SPEC.pool)
    assert len(rows) >= 264 and min(len(one.texts) for one in rows) >= 2
    gold_N = np.concatenate([one.gold_R for one in rows])
    assert np.isfinite(gold_N).all() and np.ptp(gold_N) > 0


def test_text_comes_back_as_it_was_and_gold_with_it() -> None:
    world = build(SPEC)
    assert isinstance(world, PoolWorld) and SPEC.pool is not None
    known = {one.prompt: one for one in read_responses(SPEC.pool)}
    for at in (0, 17, 63):
        (turn,) = world.conversations(world.heldout_prompts)[at]
        given = world.heldout_responses[at]
        texts = known[turn.content].texts
        whole = [row for row in range(given.rows()) if given.length_N[row] < 64]
        assert whole, "some responses are short"
        for row in whole:
            assert world.decode(given.take(np.array([row]))) == [texts[row]]


def test_choosing_by_gold_beats_choosing_by_length_which_beats_chance(tmp_path: Path) -> None:
    """Length is a proxy of real judges that pays at first; gold itself is the ceiling."""
    for stage, name in ((listing, "listing"), (pool, "pool"), (pairs, "pairs")):
        (tmp_path / name).mkdir()
        params = {
            "world": SPEC.to_json(), "seed": 0, "samples_per_prompt": 16, "comparisons": 256,
            "calibration_samples": 64,
        }  # fmt: skip
        stage.run(params, {}, tmp_path / name, silent)
    table = Table(tmp_path / "listing" / "samples.parquet")
    shape = (SPEC.heldout_prompts, -1)
    law_BR = np.exp(table.floats("reference_logp")).reshape(shape)
    gold_BR = table.floats("gold").reshape(shape)
    length_BR = table.tokens("response").length_N.astype(float).reshape(shape)
    mean = float((law_BR * gold_BR).sum(1).mean())
    assert mean == pytest.approx(read_json(tmp_path / "pool" / "summary.json")["gold_mean"])
    by_length, by_gold = (
        by_quantile(score_BR, law_BR, lambda u: u**8) for score_BR in (length_BR, gold_BR)
    )
    gold = [float((policy * gold_BR).sum(1).mean()) for policy in (by_length, by_gold)]
    assert mean < gold[0] < gold[1]
    assert 0 < kl_listed(by_length, law_BR).mean() < np.log(8)
