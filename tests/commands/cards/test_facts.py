"""What a card says of a file."""

from __future__ import annotations

import pytest

from overopt.catalog import lookup, systems
from overopt.commands.cards.facts import checked, method_reads, proxy_reads


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Eq. 3.", "against the paper's equations as quoted"),
        ("Checked against the authors' code.", "against the authors' code"),
        (
            "Checked against the authors'\nreleased code (X) and TRL's; n not verified.",
            "against the authors' code and TRL; parts not verified",
        ),
    ],
)
def test_how_far_a_file_was_checked(text: str, told: str) -> None:
    assert checked(text) == told


def test_code_that_was_not_seen_is_none_that_it_was_checked_against() -> None:
    assert checked("The authors' code is not public. Eq. 3.").startswith("against the paper's")
    assert checked("Rule from the authors' code.") == "against the authors' code"


OTHERS = "by other sources than the paper's text and code, as its file says"


@pytest.mark.parametrize(
    "text",
    [
        "Formula from third-party sources.", "Checked by a third party.", "Abstract was read.",
        "Known from public reviews: current less next.", "Read in reviews of the paper.",
        "Known by notes only.", "(from notes on the paper)", "The formula is from memory.",
        "Nothing of it was verified.", "From digests.", "Checked against descriptions of X's code.",
        "Checked against a description of the authors' code; the abstract was read.",
    ],
)  # fmt: skip
def test_sources_that_are_not_the_papers_own_are_told(text: str) -> None:
    assert checked(text) == OTHERS


def test_the_task_of_reviews_is_no_source() -> None:
    plain = "against the paper's equations as quoted"
    assert checked("Eq. 3, as on arithmetic, reviews and reviews-annotators.") == plain


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Checked against the abstract and the released code (e .001).",
            "against the authors' code",
        ),
        ("The formula in the author's released code; TRL has none.", "against the authors' code"),
        ("Against the authors' code; TRL has it no longer.", "against the authors' code"),
        (
            "Control: gold itself. Known from memory.",
            "a control: there are no equations of a paper",
        ),
    ],
)
def test_code_comes_before_other_sources(text: str, told: str) -> None:
    assert checked(text) == told


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("methods", "caution", OTHERS),
        ("methods", "hdpo", OTHERS),
        ("proxies", "hyperclean", OTHERS),
        ("methods", "dpo", "against the paper's equations as quoted"),
    ],
)
def test_how_far_files_of_the_suite_were_checked(kind: str, name: str, told: str) -> None:
    assert checked(lookup.declaration(kind, name).docstring) == told


def test_an_analogue_is_called_one() -> None:
    assert checked("Analogue of X, TRL.").startswith("an analogue")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("dpo", "preference pairs"),
        ("kto", "preference pairs, responses read after other prompts"),
        ("hedgetune", "responses of the initial policy with proxy scores, gold"),
        (
            "vas",
            "the initial policy's next-token probabilities, values of prefixes, learned from the "
            "proxy",
        ),
    ],
)
def test_what_a_method_reads(name: str, told: str) -> None:
    inputs = lookup.declaration("methods", name).constants.get("INPUTS", ())
    assert method_reads(systems.method(name), inputs) == told


def test_what_a_proxy_reads() -> None:
    assert proxy_reads(systems.proxy("prm"), ()) == "gold's opinion of every step"
    assert proxy_reads(systems.proxy("moe"), ()).startswith("preference pairs, labels' ")
