"""The part of a pool that a proxy scores whose policies have samples of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.artifacts.points import read_pool
from overopt.artifacts.tables import Table
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.execution.contract import silent
from overopt.spec.system import ProxySystemSpec
from overopt.stages.beside import pool_excerpt

from .hand_made import SINGLE, ids, texts, write_pool, write_scores

POOL_TEXTS = texts([[4], [5], [6, 6], [7], [4, 4], [5, 5]])


def test_the_first_responses_of_each_prompt_recenter_the_proxy(tmp_path: Path) -> None:
    gold = [0.0, 2.0, 100.0, 2.0, 4.0, 100.0]
    pool = write_pool(tmp_path / "pool", POOL_TEXTS, gold, [-1.0] * 6)
    out = tmp_path / "excerpt"
    out.mkdir()
    pool_excerpt.run({"samples_per_prompt": 2}, {"pool": pool}, out, silent)
    table = Table(out / "samples.parquet")
    assert table.integers("prompt_id").tolist() == [0, 0, 1, 1]
    assert table.integers("sample_id").tolist() == [0, 1, 0, 1]
    first = POOL_TEXTS.take(table.integers("sample_id") + 3 * table.integers("prompt_id"))
    assert table.tokens("response").flat().tolist() == first.flat().tolist()
    scores = write_scores(tmp_path / "score", ids(2, 2), first, [1.0, 3.0, 5.0, 7.0])
    inputs = {"pool": pool, "pool.scored": out, "score.pool.0": scores}
    system = open_as(OpenedProxy, ProxySystemSpec.model_validate(SINGLE))
    read = read_pool(inputs, system)
    assert read.proxy_offset == 4.0 and read.scored == 2
    assert read.proxy_BN.tolist() == [[-3.0, -1.0], [1.0, 3.0]]
    assert read.gold_BN.shape == (2, 3), "gold is read off the whole pool"
    with pytest.raises(ValueError, match="belong to other samples"):
        read_pool({"pool": pool, "score.pool.0": scores}, system)
