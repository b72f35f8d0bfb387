"""How the likelihoods of a run's policies rank preference pairs: looked at, and never optimized."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from transformers import PreTrainedModel

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import read_json, write_json
from overopt.execution.contract import Progress
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.stats.arrays import Floats
from overopt.stats.diagnostics.rankings import (
    Share,
    direct_loss_nats,
    flipped_share,
    ideal_share,
    ranked_right,
)
from overopt.worlds.contract import world_of
from overopt.worlds.preferences import Preferences

RANKINGS = "rankings.json"


class _Margins(NamedTuple):
    """Chosen less rejected, (P,): of whole responses, and of their mean token, nats."""

    whole_P: Floats
    token_P: Floats


def _margins(policy: PreTrainedModel, pairs: Preferences) -> _Margins:
    whole_2P, token_2P = [], []
    for responses in (pairs.chosen, pairs.rejected):
        logp_P = score_logps(policy, pairs.prompts, responses).sum(axis=1, dtype=np.float64)
        whole_2P.append(logp_P)
        token_2P.append(logp_P / np.maximum(responses.length_N, 1))
    return _Margins(whole_2P[0] - whole_2P[1], token_2P[0] - token_2P[1])


def _told(**shares: Share) -> dict[str, float | None]:
    return {
        name + suffix: value
        for name, share in shares.items()
        for suffix, value in (("", share.share), ("_se", share.se))
    }


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write a row for the initial policy, and one for each snapshot of ``optimize``.

    params: ``beta`` of a method that learns from pairs, at which DPO's loss and optimum are told,
    and ``right_share`` of the labels, None where there is no such number; ``pairs``, read of those
    held out and of those trained on. inputs: ``initial``, ``optimize``, and ``labels``, whose
    held-out pairs gold labels without noise.
    """
    world = world_of(params)
    beta, right_share = params["beta"], params["right_share"]
    heldout, seen = (
        preferences.take(np.arange(min(int(params["pairs"]), preferences.prompts.rows())))
        for preferences in (
            load_preferences(inputs["labels"], world, name).preferences
            for name in ("heldout", "labels")
        )
    )
    initial = load_policy(inputs["initial"] / "model")
    start, start_seen = _margins(initial, heldout), _margins(initial, seen)
    ideal = Share(None, None)
    if beta is not None and right_share is not None:
        ideal = ideal_share(start.whole_P, beta, right_share)

    def row(step: int, now: _Margins, now_seen: _Margins) -> dict[str, Any]:
        told = _told(
            ranking=ranked_right(now.whole_P),
            ranking_per_token=ranked_right(now.token_P),
            implicit=ranked_right(now.whole_P - start.whole_P),
            flipped=flipped_share(start_seen.whole_P, now_seen.whole_P),
        )
        loss = None if beta is None else direct_loss_nats(start.whole_P, now.whole_P, beta)
        return {
            "step": step,
            **told,
            "ranking_ideal": ideal.share,
            "heldout_loss_nats": loss,
        }

    rows = [row(0, start, start_seen)]
    snapshots = read_json(inputs["optimize"] / "optimize.json")["snapshots"]
    for done, snapshot in enumerate(snapshots):
        progress(done / len(snapshots), f"step {snapshot['step']}")
        policy = load_policy(inputs["optimize"] / snapshot["folder"])
        rows.append(row(int(snapshot["step"]), _margins(policy, heldout), _margins(policy, seen)))
    write_json(out / RANKINGS, rows)
