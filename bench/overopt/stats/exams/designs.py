"""The designs of exams: which models write the responses of a set, and how they are chosen.

A model here is the initial policy tilted toward a style, by exactly known weights:

    pi_m(y | x) is proportional to pi_0(y | x) exp(s (a z_length(y) + b z_wording(y)))

with z_length the length of y and z_wording its mean log-probability per token under pi_0, both
standardized among the samples of its prompt, and s the strength of all tilts. Where z is normal,
a tilt of strength s moves its mean by s and lies s^2 / 2 nats from the initial policy.

A set holds responses that are right, out of the upper third of a prompt's samples by gold, and
responses that are wrong, out of the lower third. Where the thirds have the same gold, the prompt
has no set. What the models write is drawn from their weights within that third.

Right responses differ from wrong ones in style where gold looks at style, also if one model writes
both. So responses are matched one by one: wrong ones are those nearest to the right one in z_length
and z_wording. In a set with a gap, right ones are by the model that writes short and wrong ones by
the one that writes long, as solutions of people are shorter than those of models.

Reference:
    Rethinking Reward Model Evaluation Through the Lens of Reward Overoptimization, section 5,
    https://arxiv.org/abs/2505.12763, whose chosen and rejected responses are correct and incorrect
    solutions by different language models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Choice = Literal["drawn", "matched", "alike", "diverse"]
"""How wrong responses are chosen: drawn from their models, nearest in style to the right one, or,
after a first one, with as many or as few tokens in common as can be."""


class Tilt(NamedTuple):
    """a and b: toward long responses, and toward likely wording."""

    length: float = 0.0
    wording: float = 0.0


MODELS = {
    "initial": Tilt(),
    "long": Tilt(length=1.0),
    "short": Tilt(length=-1.0),
    "plain": Tilt(wording=1.0),
    "odd": Tilt(wording=-1.0),
}
"""Who may write a response."""
OTHERS = ("long", "short", "plain", "odd")


@dataclass(frozen=True)
class Design:
    """What a set holds.

    Attributes:
        name: of the design.
        chosen: the model of each response that is right.
        rejected: the model of each that is wrong; where they are not drawn, of the first alone.
        choice: how wrong responses are chosen; those that are matched are of any model.
    """

    name: str
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]
    choice: Choice = "drawn"


@dataclass(frozen=True)
class Lineup:
    """Responses of several models whatever their gold; each two whose gold differs are a pair."""

    name: str
    models: tuple[str, ...]


INITIAL = ("initial",)

DESIGNS = (
    Design("gap", ("short",), ("long",)),
    Design("matched", ("short",), ("short",), "matched"),
    Design("gap-many", ("short",), ("long",) * 4),
    Design("matched-many", ("short",), ("short",) * 4, "matched"),
    Design("one-model", INITIAL, INITIAL * 4),
    Design("other-model", INITIAL, ("odd",) * 4),
    Design("many-models", INITIAL, OTHERS),
    Design("one-one", INITIAL, INITIAL),
    Design("two-two", ("long", "short"), ("long", "short")),
    Design("four-four", OTHERS, OTHERS),
    Design("alike", INITIAL, INITIAL * 4, "alike"),
    Design("diverse", INITIAL, INITIAL * 4, "diverse"),
)
"""Sets of right and wrong responses."""

HOME, SHIFT = "home", "shift"
LINEUPS = (Lineup(HOME, INITIAL * 4), Lineup(SHIFT, OTHERS))
"""Pairs by gold alone: of the initial policy, which all preference data is of, and of others."""

ALL, MEAN = "all wins", "mean over pairs"
DIVERSITY, GAP = "diversity", "length gap"
ACCURACY = "accuracy"
HELDOUT, KEPT, SWAPPED = "held-out pairs", "kept labels", "swapped labels"
"""Pairs of the labels artifact: those that nobody trained on, and those that members trained on by
whether noise has left their label as gold has it."""
