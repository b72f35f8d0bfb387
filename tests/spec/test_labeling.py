"""Who labels pairs: shares, factors and doses that cannot be are refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from overopt.catalog import toml_files
from overopt.errors import UserError
from overopt.spec.flaw import FlawSpec
from overopt.spec.labeling import LabelingSpec, UnevenNoiseSpec
from overopt.spec.noise import NoiseSpec

HALF = {"name": "one", "share": 0.5, "weights": {}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "it says nothing"),
        ({"annotators": [HALF]}, "add up to 1, and these to 0.5"),
        ({"annotators": [HALF, HALF]}, "two populations of annotators have one name"),
        ({"clean": 1.0}, "less than 1"),
        ({"noise": {"by": "topics", "factors": [1.0, 0.5]}}, "the mean of these is 0.75"),
        ({"noise": {"by": "topics", "factors": [3.0, -1.0]}}, "at least 0 with a mean of 1"),
        ({"noise": {"by": "colors", "factors": [1.0]}}, "'categories' or 'topics'"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LabelingSpec.model_validate(given)


def test_noise_without_a_rate_or_beyond_all_labels_is_refused() -> None:
    uneven = UnevenNoiseSpec(by="topics", factors=(2.0, 0.0))
    assert uneven.refusal(NoiseSpec.parse("0.5")) == ""
    assert "give at most 0.5" in uneven.refusal(NoiseSpec.parse("0.6"))
    assert "no rate that could differ by topics" in uneven.refusal(NoiseSpec.parse("bt:1"))


def test_shipped_populations_have_golds_taste_together() -> None:
    labels = toml_files.load_task("reviews-annotators").labels
    assert labels is not None
    for term in ("sentiment", "relevance", "repetition", "length", "grammar"):
        mean = sum(one.share * one.weights.get(term, 1.0) for one in labels.annotators)
        assert mean == pytest.approx(1.0), term


def test_a_task_is_the_one_that_it_extends_but_for_what_it_says(tmp_path: Path) -> None:
    reviews = toml_files.load_task("reviews")
    clean = toml_files.load_task("reviews-clean")
    same = {"labels": None, "name": reviews.name, "summary": reviews.summary}
    assert clean.model_copy(update=same) == reviews
    own = tmp_path / "mine.toml"
    own.write_text('extends = "tabular"\nsummary = "Mine"\n[proxy.training]\nepochs = 1\n')
    mine, tabular = toml_files.load_task(str(own)), toml_files.load_task("tabular")
    assert (mine.name, mine.proxy.training.epochs) == ("mine", 1)
    assert mine.proxy.training.batch_size == tabular.proxy.training.batch_size
    for text, said in (
        ('extends = "reviews-clean"', "which extends another task itself"),
        ('extends = "nothing"', "Unknown task 'nothing'"),
        ("extends = 3", "no name of a task"),
    ):
        own.write_text(text)
        with pytest.raises(UserError, match=said):
            toml_files.load_task(str(own))


@pytest.mark.parametrize("text", ["length:0.5", "blind-spot:1", "placebo:0", "coverage:0.25"])
def test_a_flaw_is_its_label(text: str) -> None:
    assert FlawSpec.parse(text).label == text


@pytest.mark.parametrize("text", ["length", "length:2", "lenght:0.5", "length:-1", "length:nan"])
def test_other_words_are_no_flaw(text: str) -> None:
    with pytest.raises(ValueError, match="not of the form NAME:DOSE"):
        FlawSpec.parse(text)


def test_no_prompt_would_be_left() -> None:
    with pytest.raises(ValueError, match="lower the dose"):
        FlawSpec.parse("coverage:1")
