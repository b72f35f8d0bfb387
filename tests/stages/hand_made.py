"""Artifacts written by hand: two prompts of the tabular world with a few scored responses each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from overopt.artifacts.scores import fingerprint
from overopt.artifacts.tables import Column, write_json, write_table
from overopt.spec.world import WorldSpec
from overopt.worlds.tokens import EOS, Tokens

WORLD = WorldSpec(kind="tabular", seed=0, train_prompts=8, heldout_prompts=2)
SINGLE = {"name": "single", "source": "overopt.proxies.single", "config": {"members": 1}}
RAW_MEAN, RAW_SD = 2.0, 2.0
"""The pool's gold mean and SD, as its summary states them."""


def texts(rows: Sequence[Sequence[int]]) -> Tokens:
    """Responses of these words, each ended by EOS."""
    ended = [[*row, EOS] for row in rows]
    flat = np.array([token for row in ended for token in row], dtype=np.int32)
    return Tokens.from_flat(flat, np.array([len(row) for row in ended]))


def ids(prompts: int, samples: int) -> dict[str, np.ndarray]:
    """Identifiers of prompts x samples rows, prompt-major."""
    return {
        "prompt_id": np.repeat(np.arange(prompts), samples),
        "sample_id": np.tile(np.arange(samples), prompts),
    }


def write_scores(folder: Path, identifiers: Mapping[str, np.ndarray], responses: Tokens,
                 scores: Sequence[float]) -> Path:  # fmt: skip
    """A ``score`` artifact."""
    folder.mkdir(parents=True)
    columns = {**identifiers, "fingerprint": fingerprint(responses), "score": np.array(scores)}
    write_table(folder / "scores.parquet", columns)
    return folder


def write_pool(
    folder: Path, responses: Tokens, raw_gold: Sequence[float], logp: Sequence[float]
) -> Path:
    """A ``pool`` artifact of two prompts."""
    folder.mkdir(parents=True)
    columns: dict[str, Column] = {
        **ids(2, responses.rows() // 2),
        "response": responses,
        "reference_logp": np.array(logp),
        "gold": np.array(raw_gold),
    }
    write_table(folder / "samples.parquet", columns)
    write_json(
        folder / "summary.json", {"gold_mean": RAW_MEAN, "gold_sd": RAW_SD, "stop_ids": [EOS]}
    )
    return folder
