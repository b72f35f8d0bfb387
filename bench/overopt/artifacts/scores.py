"""Reads one proxy's scores, aligned with the samples that they belong to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.tables import Table
from overopt.worlds.tokens import Tokens

_ROW_KEYS = ("step", "prompt_id", "sample_id")

FEATURE = "feature_"
"""How the name of a feature's column begins."""


_FACTOR = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, so that multiplying loses no bit


SCALE = "scale.json"
"""Beside scores: what turns a difference of two into log-odds, where it is one."""


def fingerprint(responses: Tokens) -> npt.NDArray[np.int64]:
    """A 64-bit fingerprint (N,) of each response: sum over t of (id_t + 1) f^t, modulo 2^64.

    It tells scores of other samples from one's own where the identifiers agree.
    """
    power_T = np.cumprod(np.full(responses.ids_NT.shape[1], _FACTOR))
    term_NT = (responses.ids_NT.astype(np.uint64) + np.uint64(1)) * power_T
    total_N = np.where(responses.mask_NT, term_NT, np.uint64(0)).sum(axis=1, dtype=np.uint64)
    return np.asarray(total_N).view(np.int64)


def aligned_scores(folder: Path, samples: Table) -> npt.NDArray[np.float64]:
    """The scores (N,) in the order of ``samples``, aligned by identifiers, never by position.

    The rows' identifiers and the fingerprints of their responses must agree.

    Raises:
        ValueError: the scores are not those of the samples.
    """
    table = Table(folder / "scores.parquet")
    theirs_order, ours_order = _orders(table, samples, f"{folder.name}: the scores")
    score_N = np.empty(len(samples), dtype=np.float64)
    score_N[ours_order] = table.floats("score")[theirs_order]
    return score_N


def aligned_features(folder: Path, samples: Table) -> npt.NDArray[np.float64]:
    """The features (N, F) in the order of ``samples``, aligned as scores are.

    Raises:
        ValueError: the features are not those of the samples.
    """
    table = Table(folder / "features.parquet")
    theirs_order, ours_order = _orders(table, samples, f"{folder.name}: the features")
    named = [name for name in table.columns if name.startswith(FEATURE)]
    theirs_NF = np.stack([table.floats(name) for name in named], axis=1)
    feature_NF = np.empty_like(theirs_NF)
    feature_NF[ours_order] = theirs_NF[theirs_order]
    return feature_NF


def aligned_novelty(folder: Path, role: str, samples: Table) -> npt.NDArray[np.float64]:
    """The novelty (N,) of the samples of a role, pool or listing, aligned as scores are.

    Raises:
        ValueError: it is not that of the samples.
    """
    table = Table(folder / f"{role}.parquet")
    theirs_order, ours_order = _orders(
        table, samples, f"{folder.name}: novelty of {role}: the rows"
    )
    novelty_N = np.empty(len(samples), dtype=np.float64)
    novelty_N[ours_order] = table.floats("novelty")[theirs_order]
    return novelty_N


def identifiers(samples: Table) -> dict[str, npt.NDArray[np.int64]]:
    """What rows of samples are aligned by: their identifiers, and their responses' fingerprints."""
    named = {key: samples.integers(key) for key in _ROW_KEYS if key in samples.columns}
    return {**named, "fingerprint": fingerprint(samples.tokens("response"))}


def _orders(
    table: Table, samples: Table, what: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """In which order rows of the table and of the samples are the same."""
    keys = [key for key in _ROW_KEYS if key in samples.columns]
    theirs = np.stack([table.integers(key) for key in keys])
    ours = np.stack([samples.integers(key) for key in keys])
    theirs_order, ours_order = np.lexsort(theirs), np.lexsort(ours)
    if theirs.shape != ours.shape or (theirs[:, theirs_order] != ours[:, ours_order]).any():
        raise ValueError(f"{what} belong to other samples")
    print_N = fingerprint(samples.tokens("response"))
    if (table.integers("fingerprint")[theirs_order] != print_N[ours_order]).any():
        raise ValueError(f"{what} belong to other responses")
    return theirs_order, ours_order
