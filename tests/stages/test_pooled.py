"""Stages of a world whose responses lie in a table: the law, the pairs, and what choosing does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub import folders
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.catalog import toml_files
from overopt.execution.contract import silent
from overopt.models.reading import open_reader
from overopt.spec.hub import TaskWorldSpec
from overopt.spec.noise import NoiseSpec
from overopt.spec.origins import ReaderOrigin
from overopt.spec.proxy import ProxySpec
from overopt.spec.task import TaskSpec
from overopt.stages import front, labels, proxy, score
from overopt.stages.pooled import listing, opponents, pairs, pool
from overopt.stats.pools.listed import by_quantile, kl_listed
from overopt.worlds.contract import build
from overopt.worlds.hub.text import FolderTokenizer
from overopt.worlds.pool.world import PoolWorld

TASK = toml_files.load_task("pool")
WORLD = TaskWorldSpec.model_validate(TASK.world.to_json()).to_json()


def made(stage: Any, out: Path, **params: Any) -> Path:
    out.mkdir()
    stage.run({"world": WORLD, "seed": 0, **params}, {}, out, silent)
    return out


@pytest.fixture(scope="module")
def world() -> PoolWorld:
    found = build(TASK.world)
    assert isinstance(found, PoolWorld)
    return found


def test_the_law_is_uniform_over_the_rows_of_a_prompt(world: PoolWorld, tmp_path: Path) -> None:
    table = Table(made(listing, tmp_path / "out") / "samples.parquet")
    prompts = world.heldout_prompts.rows()
    law_BR = np.exp(table.floats("reference_logp")).reshape(prompts, -1)
    gold_BR = table.floats("gold").reshape(prompts, -1)
    counts = [one.rows() for one in world.heldout_responses]
    assert len(set(counts)) > 1, "prompts have different numbers of responses"
    for law_R, gold_R, given_R in zip(law_BR, gold_BR, world.heldout_gold, strict=True):
        rows = len(given_R)
        assert law_R[:rows] == pytest.approx(np.full(rows, 1 / rows))
        assert (law_R[rows:] == 0).all()
        assert law_R @ gold_R == pytest.approx(given_R.mean())


def test_best_of_n_of_the_law_is_best_of_n_with_replacement_from_the_rows(
    world: PoolWorld, tmp_path: Path
) -> None:
    """Against draws: mean gold and KL of the best of 3 by gold, for a prompt with padding rows."""
    table = Table(made(listing, tmp_path / "out") / "samples.parquet")
    prompts = world.heldout_prompts.rows()
    law_BR = np.exp(table.floats("reference_logp")).reshape(prompts, -1)
    gold_BR = table.floats("gold").reshape(prompts, -1)
    policy_BR = by_quantile(gold_BR, law_BR, lambda u: u**3)
    short = int(np.argmin([one.rows() for one in world.heldout_responses]))
    gold_R, rng = world.heldout_gold[short], np.random.default_rng(0)
    drawn = rng.choice(gold_R, size=(200_000, 3)).max(axis=1)
    assert (policy_BR[short] * gold_BR[short]).sum() == pytest.approx(drawn.mean(), abs=0.01)
    share_R = np.array([(drawn == one).mean() for one in gold_R])
    kl = (share_R[share_R > 0] * np.log(share_R[share_R > 0] * len(gold_R))).sum()
    assert kl_listed(policy_BR, law_BR)[short] == pytest.approx(kl, abs=0.01)


def test_units_of_gold_are_those_of_the_law(world: PoolWorld, tmp_path: Path) -> None:
    out = made(pool, tmp_path / "out", samples_per_prompt=16)
    summary = read_json(out / "summary.json")
    mean = np.mean([gold_R.mean() for gold_R in world.heldout_gold])
    assert summary["gold_mean"] == pytest.approx(mean)
    square = np.mean([((gold_R - mean) ** 2).mean() for gold_R in world.heldout_gold])
    assert summary["gold_sd"] == pytest.approx(square**0.5)
    table = Table(out / "samples.parquet")
    assert len(table) == 16 * world.heldout_prompts.rows()
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    assert world.gold(prompts, table.tokens("response")) == pytest.approx(table.floats("gold"))


def test_pairs_differ_and_held_out_ones_are_of_other_prompts(
    world: PoolWorld, tmp_path: Path
) -> None:
    out = made(pairs, tmp_path / "out", comparisons=100, calibration_samples=32)
    seen = {}
    for name, count in (("pairs", 100), ("heldout", 16)):
        table = Table(out / f"{name}.parquet")
        assert len(table) == count
        prompt_id_P = table.integers("prompt_id")
        seen[name] = set(prompt_id_P)
        a, b = table.tokens("a"), table.tokens("b")
        prompts = world.train_prompts.take(prompt_id_P)
        assert np.isfinite(world.gold(prompts, a) + world.gold(prompts, b)).all()
        same = [np.array_equal(x[:m], y[:n]) for x, m, y, n in
                zip(a.ids_NT, a.length_N, b.ids_NT, b.length_N, strict=True)]  # fmt: skip
        assert not any(same)
    assert not seen["pairs"] & seen["heldout"]
    assert len(seen["pairs"]) == 32


def test_opponents_are_responses_of_the_table(world: PoolWorld, tmp_path: Path) -> None:
    made(opponents, tmp_path / "out", per_prompt=3)
    table = Table(tmp_path / "out" / "opponents.parquet")
    assert np.isfinite(world.gold(table.tokens("prompt"), table.tokens("response"))).all()
    assert len(table) == 3 * 60


def test_the_front_of_the_law_is_exact_and_ends_where_the_best_rows_are(tmp_path: Path) -> None:
    inputs = {
        "pool": made(pool, tmp_path / "pool", samples_per_prompt=8),
        "listing": made(listing, tmp_path / "listing"),
    }
    out = tmp_path / "front"
    out.mkdir()
    front.run({"kl_grid_nats": [0.5, 1.0, 1.5]}, inputs, out, silent)
    points = read_json(out / "front.json")["points"]
    assert [one["estimator"] for one in points] == ["exact"] * len(points)
    gold = [one["gold"] for one in points]
    assert len(gold) >= 2 and gold == sorted(gold) and gold[0] > 0


def test_a_proxy_from_a_base_model_reads_the_text_by_its_own_tokenizer(
    world: PoolWorld, tmp_path: Path
) -> None:
    """A folder's backbone with a fresh head, trained on pairs of the table, scores its listing."""
    folders.write_folder(tmp_path / "base", "llama")
    form = "{prompt}\n{response}"
    spec = ProxySpec(
        base=ReaderOrigin(path=str(tmp_path / "base"), format=form),
        comparisons=32,
        training=TASK.proxy.training.model_copy(update={"epochs": 1}),
        calibration_samples=32,
    )
    gold = tmp_path / "gold"
    gold.mkdir()
    write_json(gold / "gold.json", {"kind": "rule", "name": "rule"})
    inputs = {
        "pairs": made(pairs, tmp_path / "pairs", comparisons=32, calibration_samples=32),
        "pool": made(pool, tmp_path / "pool", samples_per_prompt=8),
        "gold": gold,
    }
    for name in ("labels", "proxy", "score"):
        (tmp_path / name).mkdir()
    known = {"world": WORLD, "seed": 0}
    noise = NoiseSpec.parse("0").to_json()
    labels.run({**known, "noise": noise, "preference": "gold"}, inputs, tmp_path / "labels", silent)
    params = {**known, "proxy": spec.to_json(), "member": 0}
    proxy.run(params, {"labels": tmp_path / "labels"}, tmp_path / "proxy", silent)
    listed = {"samples": made(listing, tmp_path / "listing"), "proxy": tmp_path / "proxy"}
    score.run(known, listed, tmp_path / "score", silent)
    score_N = Table(tmp_path / "score" / "scores.parquet").floats("score")
    assert np.isfinite(score_N).all() and score_N.std() > 0.1
    (row,) = world.decode(world.heldout_responses[0].take(np.array([0])))
    (turns,) = world.conversations(world.heldout_prompts.take(np.array([0])))
    reader = open_reader(world, ReaderOrigin(path=str(tmp_path / "base"), format=form), "base")
    first, rest = reader.read(world.heldout_prompts.take(np.array([0])),
                              world.heldout_responses[0].take(np.array([0])))  # fmt: skip
    tokenizer = FolderTokenizer(tmp_path / "base", "base")
    (ids,) = tokenizer.encode([f"{turns[0].content}\n{row}"], True)
    assert [*first.ids_NT[0], *rest.ids_NT[0]] == ids


def test_a_task_may_give_its_proxies_a_base() -> None:
    data = TASK.to_json()
    base = {"path": "somewhere", "format": "{prompt}\n{response}"}
    data["proxy"] = {**data["proxy"], "base": base}
    del data["proxy"]["architecture"]
    assert TaskSpec.model_validate_json(json.dumps(data)).proxy.start == "base"
