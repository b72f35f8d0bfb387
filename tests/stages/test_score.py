"""Scores find their samples by identity, whatever the order on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.scores import aligned_scores, fingerprint
from overopt.artifacts.tables import Table, write_table
from overopt.worlds.tokens import Tokens

from .hand_made import ids, texts, write_scores

RESPONSES = texts([[4], [5], [4, 5], [5, 4], [6], [7]])
SCORES = np.array([10.0, 11.0, 12.0, 13.0, 14.0, 15.0])


def _samples(folder: Path, order: np.ndarray, steps: tuple[int, ...] = (1,)) -> Table:
    """Samples of two prompts x three, or of steps x prompts x samples, in some order on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {name: np.tile(column, len(steps))[order] for name, column in ids(2, 3).items()}
    columns["step"] = np.repeat(steps, 6)[order]
    rows = np.tile(np.arange(6), len(steps))[order]
    write_table(folder / "samples.parquet", {**columns, "response": RESPONSES.take(rows)})
    return Table(folder / "samples.parquet")


def _scores(folder: Path, order: np.ndarray, responses: Tokens = RESPONSES, step: int = 1) -> Path:
    identifiers = {name: column[order] for name, column in ids(2, 3).items()}
    identifiers["step"] = np.full(6, step)
    return write_scores(folder, identifiers, responses.take(order), SCORES[order].tolist())


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_rows_align(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    theirs, ours = rng.permutation(6), rng.permutation(6)
    samples = _samples(tmp_path / "samples", ours)
    assert (aligned_scores(_scores(tmp_path / "s", theirs), samples) == SCORES[ours]).all()


def test_steps_are_kept_apart(tmp_path: Path) -> None:
    samples = _samples(tmp_path / "samples", np.arange(12)[::-1], steps=(3, 7))
    identifiers = {name: np.tile(column, 2) for name, column in ids(2, 3).items()}
    identifiers["step"] = np.repeat([3, 7], 6)
    both = RESPONSES.take(np.tile(np.arange(6), 2))
    folder = write_scores(tmp_path / "s", identifiers, both, list(range(12)))
    assert aligned_scores(folder, samples).tolist() == list(range(12))[::-1]


def test_scores_of_other_rows_are_refused(tmp_path: Path) -> None:
    samples = _samples(tmp_path / "samples", np.arange(6))
    with pytest.raises(ValueError, match="other samples"):
        aligned_scores(_scores(tmp_path / "step", np.arange(6), step=2), samples)
    with pytest.raises(ValueError, match="other samples"):
        aligned_scores(_scores(tmp_path / "twice", np.array([0, 1, 2, 3, 4, 4])), samples)
    short = {name: column[:5] for name, column in ids(2, 3).items()} | {"step": np.ones(5)}
    few = write_scores(tmp_path / "few", short, RESPONSES.take(np.arange(5)), [0.0] * 5)
    with pytest.raises(ValueError, match="other samples"):
        aligned_scores(few, samples)


def test_scores_of_other_responses_with_the_same_identifiers_are_refused(tmp_path: Path) -> None:
    samples = _samples(tmp_path / "samples", np.arange(6))
    changed = texts([[4], [5], [4, 5], [5, 4], [6], [8]])
    with pytest.raises(ValueError, match="other responses"):
        aligned_scores(_scores(tmp_path / "s", np.arange(6), changed), samples)


def test_fingerprints_tell_every_short_response_apart() -> None:
    words = np.array(np.meshgrid(*[np.arange(6)] * 4)).reshape(4, -1).T.astype(np.int32)
    padded = Tokens.from_padded(words)
    distinct = len({tuple(row[:n]) for row, n in zip(*padded, strict=True)})
    assert len(np.unique(fingerprint(padded))) == distinct == 6**4


def test_fingerprints_do_not_depend_on_padding() -> None:
    wide = Tokens(np.pad(RESPONSES.ids_NT, ((0, 0), (0, 5))), RESPONSES.length_N)
    assert (fingerprint(wide) == fingerprint(RESPONSES)).all()
