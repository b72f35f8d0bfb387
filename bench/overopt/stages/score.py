"""Scores of one proxy on the samples of an artifact, shared by all systems that use the proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.proxy import Member
from overopt.artifacts.scores import SCALE, identifiers
from overopt.artifacts.tables import Table, write_json, write_table
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Score every row of the ``samples`` input; rows keep their identifiers beside the score.

    Where a difference of two scores times a number is the log-odds that the proxy learned, that
    number is written as well.

    params: ``system`` (ProxySystemSpec) where the proxy is one that only its file can read.
    """
    world = world_of(params)
    table = Table(inputs["samples"] / "samples.parquet")
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    responses = table.tokens("response")
    if "system" in params:
        reader = str(ProxySystemSpec.model_validate(params["system"]).reader)
        open_member = load("artifacts", reader).open_member
        member = open_member(inputs["proxy"], world, params["system"], inputs)
    else:
        member = Member(inputs["proxy"], world)
    score_N = member.score(prompts, responses)
    write_table(out / "scores.parquet", {**identifiers(table), "score": score_N})
    if isinstance(member, Member) and member.log_odds_per_sd is not None:
        write_json(out / SCALE, {"log_odds_per_sd": member.log_odds_per_sd})
