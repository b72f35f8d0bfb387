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
