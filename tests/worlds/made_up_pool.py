"""Writes the made-up table of the task ``pool``: short answers of ten invented writers, scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

THINGS = {
    "lamp": ("warm light", "a dimmer", "a long cable"),
    "tent": ("two poles", "a dry floor", "room for three"),
    "kettle": ("a quiet boil", "a steel body", "a safe handle"),
    "bike": ("wide tires", "a low frame", "strong brakes"),
    "chair": ("a firm seat", "oak legs", "a high back"),
    "radio": ("a clear tone", "a big dial", "a spare battery"),
    "knife": ("a thin blade", "a round grip", "a cork sheath"),
    "rug": ("thick wool", "a plain weave", "a soft edge"),
    "clock": ("large digits", "a calm tick", "a brass case"),
    "map": ("fine lines", "a folded cover", "true scales"),
}
PEOPLE = ("a student", "my aunt", "two hikers", "a small office", "an old friend", "a new cook")
WRITERS = (
    *("brief", "plain", "careful", "listing", "gushing"),
    *("rambling", "vague", "astray", "parrot", "thorough"),
)
PRAISE = ("truly wonderful", "simply perfect", "absolutely superb", "just amazing")
FILLER = ("all things considered", "as many people say", "in one way or another", "so to speak")


def answer(writer: str, thing: str, person: str, rng: np.random.Generator) -> tuple[str, float]:
    """What a writer says, and what a reader who wants facts, few words and no flattery makes of it.

    Gold = 0.8 x facts about the thing - 0.5 x praise^1.5 - 0.15 x filler - 1 if astray, and a
    little chance.
    """
    facts = list(rng.permutation(THINGS[thing]))
    other = str(rng.choice([name for name in THINGS if name != thing]))
    known = {"brief": 1, "careful": 3, "listing": 3, "thorough": 3}.get(writer, 2)
    known = 0 if writer in ("vague", "astray", "parrot") else known
    praise = {"gushing": int(rng.integers(2, 5)), "rambling": 1, "plain": 1}.get(writer, 0)
    filler = {"rambling": int(rng.integers(2, 5)), "vague": 1, "thorough": 1}.get(writer, 0)
    subject = other if writer == "astray" else thing
    opening = f"For {person}, get a {subject}" if writer != "brief" else f"A {subject}"
    parts = [opening]
    if known:
        parts.append("with " + " and ".join(facts[:known]))
    parts += [f"it is {rng.choice(PRAISE)}" for _ in range(praise)]
    parts += [str(rng.choice(FILLER)) for _ in range(filler)]
    if writer == "parrot":
        parts.append(f"a {thing} for {person}, as asked: a {thing}")
    gold = 0.8 * known - 0.5 * praise**1.5 - 0.15 * filler - 1.0 * (writer == "astray")
    return ", ".join(parts) + ".", round(gold + 0.2 * float(rng.standard_normal()), 3)


def rows() -> list[dict[str, str | float]]:
    """Every row; a writer skips a prompt now and then."""
    rng = np.random.default_rng(7)
    made: list[dict[str, str | float]] = []
    for thing in THINGS:
        for person in PEOPLE:
            for writer in WRITERS:
                text, gold = answer(writer, thing, person, rng)
                if rng.random() > 0.05:
                    prompt = f"Recommend a {thing} for {person}."
                    made.append(
                        {"prompt": prompt, "response": text, "gold": gold, "source": writer}
                    )
    return made


def text() -> str:
    """The table as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows())


if __name__ == "__main__":
    (Path(__file__).parents[2] / "tasks" / "pool-example.jsonl").write_text(text())
