"""Reads every response of a world that lists them: its probability, proxy and gold."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from overopt.artifacts.points import Floats, Pool, check_prompt_major, system_scores
from overopt.artifacts.tables import Table
from overopt.engines.proxy import OpenedProxy


class Listing(NamedTuple):
    """All R responses to each of B held-out prompts.

    reference_BR: probability under the initial policy; rows sum to 1.
    proxy_BR, gold_BR: in the units and around the means of the pool.
    """

    reference_BR: Floats
    proxy_BR: Floats
    gold_BR: Floats


def read_listing(inputs: dict[str, Path], system: OpenedProxy, pool: Pool) -> Listing | None:
    """The listing among a stage's inputs; None where the world lists no responses."""
    if "listing" not in inputs:
        return None
    table = Table(inputs["listing"] / "samples.parquet")
    prompts = pool.gold_BN.shape[0]
    check_prompt_major(table.integers("prompt_id"), prompts)
    shape = (prompts, -1)
    reference_BR = np.exp(table.floats("reference_logp")).reshape(shape)
    proxy_R = system_scores(inputs, "listing", table, system) - pool.proxy_offset
    gold_R = (table.floats("gold") - pool.gold_mean) / pool.gold_sd
    return Listing(
        # The model's probabilities are rounded to float32, so that they add up to 1 nearly.
        reference_BR / reference_BR.sum(axis=1, keepdims=True),
        proxy_R.reshape(shape),
        gold_R.reshape(shape),
    )
