"""Columns that T1 finds again: honest tables pass, and a forged value in any of them is caught."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from overopt.artifacts.points import (
    Point,
    Pool,
    distinct_n,
    estimate,
    initial_point,
    ranking,
    win_rate,
)
from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.leaderboard.submission.verdict import Finding
from overopt.leaderboard.tiers.arithmetic import judge_arithmetic, recompute
from overopt.leaderboard.tiers.columns import Draws, judge_columns
from overopt.leaderboard.tiers.ours import Recomputed
from overopt.spec.columns import POINT_COLUMNS, TEXT
from overopt.stages.select import draw as draw_rows
from overopt.stages.select import selection_point

from .honest import Floats, Language, draw, make_cell, make_samples

PROMPTS, EACH, IN_POOL = 32, 8, 64


class Case(NamedTuple):
    """A cell with its page, what we find for it, our pool, and its honest table."""

    cell: Cell
    samples: Samples
    ours: Recomputed
    pool: Pool
    points: pd.DataFrame


def _pool(language: Language, rng: np.random.Generator) -> Pool:
    drawn = draw(language, language.policy(0.0), PROMPTS * IN_POOL, rng)
    mean, sd, offset = drawn.gold.mean(), drawn.gold.std(ddof=1), drawn.proxy.mean()
    shape = (PROMPTS, IN_POOL)
    return Pool(
        gold_BN=((drawn.gold - mean) / sd).reshape(shape),
        proxy_BN=(drawn.proxy - offset).reshape(shape),
        reference_logp_BN=drawn.reference_logp.reshape(shape),
        responses=drawn.responses,
        gold_mean=float(mean),
        gold_sd=float(sd),
        proxy_offset=float(offset),
    )


def _case(cell: Cell, samples: Samples, pool: Pool, rows: list[Point], reweights: bool) -> Case:
    ours = Recomputed(
        reference_logp=samples.reference_logp,
        gold=samples.gold,
        proxy=samples.proxy,
        gold_mean=pool.gold_mean,
        gold_sd=pool.gold_sd,
        proxy_offset=pool.proxy_offset,
        proxy_offset_se=0.01,
        start_gold_B=samples.prompt_gold_KB[0],
        in_pool=1.0,
        reweights=reweights,
    )
    table = pd.DataFrame(rows, columns=list(POINT_COLUMNS))
    table = table.astype({name: np.float64 for name in POINT_COLUMNS if name not in TEXT})
    return Case(cell, samples, ours, pool, table)


def _scaled(cell: Cell, pool: Pool) -> Cell:
    scales = {"gold_mean": pool.gold_mean, "gold_sd": pool.gold_sd}
    return cell.model_copy(update={**scales, "proxy_offset": pool.proxy_offset})


@cache
def sampled() -> Case:
    """Policies that say how likely their samples are, at two places."""
    rng = np.random.default_rng(3)
    language = Language(rng)
    pool = _pool(language, rng)
    cell = _scaled(make_cell(language, 0, 0, rng), pool)
    parts = [draw(language, language.policy(tilt), PROMPTS * EACH, rng) for tilt in (0.5, 1.5)]
    samples = make_samples(cell, parts, PROMPTS, 0)
    rows: list[Point] = [initial_point(pool, EACH)]
    for k, part in enumerate(parts, start=1):
        point: Point = {**recompute(cell, samples, k, "rb"), "kl_estimator": "rb", "status": "ok"}
        gold_BN = ((part.gold - pool.gold_mean) / pool.gold_sd).reshape(PROMPTS, -1)
        ranking(point, part.proxy.reshape(PROMPTS, -1) - pool.proxy_offset, gold_BN)
        estimate(point, "win_rate", win_rate(gold_BN, pool.gold_BN), "")
        for order in (1, 2):
            estimate(point, f"distinct_{order}", distinct_n(part.responses, PROMPTS, order), "")
        rows.append(point)
    return _case(cell, samples, pool, rows, reweights=False)


def reweighted(seed: int = 4) -> Case:
    """The pool with weights that rise with the proxy, as the stage itself measures it."""
    rng = np.random.default_rng(seed)
    language = Language(rng)
    pool = _pool(language, rng)
    cell = _scaled(make_cell(language, 0, 0, rng), pool)
    rows: list[Point] = [initial_point(pool, EACH)]
    drawn = []
    for tilt in (0.3, 1.0):
        weight_BN = np.exp(tilt * pool.proxy_BN)
        weight_BN /= weight_BN.sum(axis=1, keepdims=True)
        kl_B = (weight_BN * np.log(weight_BN * IN_POOL)).sum(axis=1)
        drawn.append(draw_rows(weight_BN, EACH, rng))
        rows.append({**selection_point(pool, weight_BN, kl_B, drawn[-1]), "status": "ok"})
    index_R = np.concatenate(drawn)
    slots = np.arange(PROMPTS * EACH)

    def taken(values_BN: Floats) -> Floats:
        return values_BN.ravel()[index_R]

    empty, by_prompt = np.zeros(0), np.zeros((3, PROMPTS))
    samples = Samples(
        point=np.repeat(np.array([1, 2], np.int32), len(slots)),
        prompt_id=np.tile((slots // EACH).astype(np.int32), 2),
        sample_id=np.tile((slots % EACH).astype(np.int32), 2),
        responses=pool.responses.take(index_R),
        reference_logp=taken(pool.reference_logp_BN),
        gold=taken(pool.gold_BN) * pool.gold_sd + pool.gold_mean,
        proxy=taken(pool.proxy_BN) + pool.proxy_offset,
        measured_K=np.arange(3, dtype=np.int32),
        prompt_gold_KB=by_prompt,
        prompt_proxy_KB=by_prompt,
        prompt_kl_KB=by_prompt,
        policy_logp=empty,
        kl_rb=empty,
        entropy=empty,
    )
    return _case(cell, samples, pool, rows, reweights=True)


def failing(case: Case, points: pd.DataFrame | None = None) -> set[str]:
    """Checks of T1 that a table fails."""
    table = case.points if points is None else points
    told = list(judge_columns(case.samples, case.ours, case.pool, table, EACH, "here"))
    if case.ours.reweights:
        draws = Draws()
        draws.add(case.samples, case.ours, case.pool, table, "here")
        told += draws.judge("here")
    return {one.check for one in told if one.outcome == "fail"}


def forged(case: Case, row: int, name: str, by: float) -> pd.DataFrame:
    """The table with one number changed."""
    return changed(case.points, row, name, float(numbers(case.points, name)[row]) + by)


def numbers(points: pd.DataFrame, name: str) -> Floats:
    return points[name].to_numpy(np.float64).copy()


def changed(points: pd.DataFrame, row: int, name: str, value: float) -> pd.DataFrame:
    """The table with another number, where there was one."""
    values = numbers(points, name)
    assert not np.isnan(values[row])
    values[row] = value
    return points.assign(**{name: values})


def test_honest_tables_pass() -> None:
    assert failing(sampled()) == failing(reweighted()) == set()


@pytest.mark.parametrize(
    ("name", "by", "check"),
    [
        ("win_rate", 0.002, "win_rate"),
        ("win_rate_se", -0.002, "win_rate"),
        ("auroc", 0.01, "auroc"),
        ("auroc_se", -0.01, "auroc"),
        ("auroc_pooled", 0.01, "auroc"),
        ("distinct_1", 1e-5, "distinct"),
        ("distinct_1_se", 1e-5, "distinct"),
        ("distinct_2", -1e-5, "distinct"),
        ("distinct_2_se", 1e-5, "distinct"),
    ],
)
def test_a_forged_value_of_a_point_is_caught(name: str, by: float, check: str) -> None:
    case = sampled()
    assert failing(case, forged(case, 2, name, by)) == {check}
    if name.startswith("auroc"):
        of_pool = reweighted()
        assert failing(of_pool, forged(of_pool, 1, name, by)) == {check}


def test_a_pool_of_few_effective_samples_tells_nothing_of_diversity() -> None:
    """It may be left out; a number that is there is ours or wrong."""
    case = reweighted()
    assert np.isnan(numbers(case.points, "distinct_1")[1:]).all()
    values = numbers(case.points, "distinct_1")
    values[1] = 0.5
    assert failing(case, case.points.assign(distinct_1=values)) == {"distinct"}


@pytest.mark.parametrize("name", ["win_rate", "auroc", "auroc_pooled", "distinct_1"])
def test_a_value_that_was_taken_out_is_missed(name: str) -> None:
    case = sampled()
    points = changed(case.points, 1, name, np.nan)
    assert failing(case, points) == {name.partition("_")[0] if name[:3] != "win" else name}


@pytest.mark.parametrize(
    "name",
    [
        "gold_se", "proxy_se", "win_rate_se", "gold_raw_mean", "length_mean", "length_se",
        "entropy_nats", "entropy_se", "distinct_1", "distinct_2_se", "auroc", "auroc_pooled",
        "n_samples", "n_prompts",
    ],
)  # fmt: skip
def test_a_forged_value_of_the_initial_policy_is_caught(name: str) -> None:
    """By a tenth of its size, or of its standard error's."""
    case = sampled()
    value = float(numbers(case.points, name)[0])
    assert failing(case, forged(case, 0, name, 0.1 * abs(value) + 0.05)) == {"initial_row"}


def test_another_size_of_the_pool_is_caught() -> None:
    case = reweighted()
    assert failing(case, forged(case, 1, "n_samples", 1.0)) == {"n_samples"}


@pytest.mark.parametrize(
    ("name", "by"), [("win_rate", 0.2), ("length_mean", 1.5), ("entropy_nats", 3.0)]
)
def test_what_draws_contradict_is_caught(name: str, by: float) -> None:
    case = reweighted()
    assert failing(case, forged(case, 2, name, by)) == {"draws"}
    assert failing(case, forged(case, 2, name, -by)) == {"draws"}


@pytest.mark.slow
def test_draws_keep_their_level() -> None:
    wrong = sum("draws" in failing(reweighted(seed)) for seed in range(500))
    print(f"honest: {wrong} of 500")
    assert wrong <= 500 * 0.003 + 3.5 * (500 * 0.003) ** 0.5


@pytest.mark.parametrize(
    "name", ["auroc", "auroc_se", "auroc_pooled", "entropy_nats", "entropy_se"]
)
def test_the_page_alone_contradicts_it(name: str) -> None:
    """T0: AUROC of the page's gold and proxy; entropy of a policy that filters while it samples."""
    case = sampled()

    def judged(points: pd.DataFrame, samples: Samples) -> Finding:
        return judge_arithmetic(case.cell, samples, points, "here")

    assert judged(case.points, case.samples).outcome == "pass"
    assert judged(forged(case, 1, name, 1e-4), case.samples).outcome == "fail"
    empty = np.zeros(0)
    filtered = case.samples._replace(policy_logp=empty, kl_rb=empty, entropy=empty)
    points = case.points.assign(kl_estimator=["definition", "smc", "smc"])
    for k in (1, 2):
        for column, value in recompute(case.cell, filtered, k, "smc").items():
            assert value is not None
            points = changed(points, k, column, value)
    assert judged(points, filtered).outcome == "pass"
    value = float(numbers(points, name)[1])
    assert judged(changed(points, 1, name, value + 1e-4), filtered).outcome == "fail"
