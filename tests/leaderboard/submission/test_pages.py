"""Pages come back as they were written, and a page is exactly what the document says."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.errors import UserError
from overopt.leaderboard.submission.pages import dump_page, parse_page
from overopt.leaderboard.submission.parts import Page

from .honest import make_entry


def test_a_page_comes_back_as_it_was_written() -> None:
    samples = make_entry(np.random.default_rng(0), 1, 1, 4, 3).samples[0]
    content = dump_page(samples)
    page = Page.model_validate(
        {
            "file": {"path": "a.safetensors", "sha256": "0" * 64, "bytes": len(content)},
            "rows": len(samples.gold),
            "tokens": int(samples.responses.length_N.sum()),
            "policy_logp": True,
            "prompts": 4,
            "points": 9,
        }
    )
    again = parse_page(content, page, "a")
    assert again.responses.flat().tolist() == samples.responses.flat().tolist()
    assert again.responses.length_N.tolist() == samples.responses.length_N.tolist()
    for name in set(samples._fields) - {"responses"}:
        assert np.array_equal(getattr(samples, name), getattr(again, name)), name
    assert again.points == list(range(1, 9))
    for changes, words in (
        ({"rows": page.rows - 1}, "must be I32 of shape"),
        ({"tokens": page.tokens + 1}, "must be I32 of shape"),
        ({"policy_logp": False}, 'the tensor "entropy" is missing or unknown'),
        ({"points": 8}, "must be I32 of shape"),
    ):
        with pytest.raises(UserError, match=words):
            parse_page(content, page.model_copy(update=changes), "a")


def test_what_is_no_number_is_never_written() -> None:
    samples = make_entry(np.random.default_rng(0), 1, 1, 4, 3).samples[0]
    samples.gold[3] = np.nan
    with pytest.raises(FloatingPointError, match="gold"):
        dump_page(samples)
