"""Declared flaws of the labels that proxies learn from, each at a dose."""

from __future__ import annotations

import re
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec

FlawName = Literal["length", "lexical", "praise", "blind-spot", "coverage", "placebo"]
_FLAW = re.compile(r"^([a-z-]+):([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)$")


class FlawSpec(Spec):
    """A flaw of the preference data of a run, of a known kind and strength.

    length: whoever labels sees gold plus dose x length, both in SDs of the responses compared.
    lexical: the same with how often a few words occur, which the data's own responses name.
    praise: the same with how much the response praises, whatever was asked for.
    blind-spot: one term of the gold rule is seen at 1 - dose of its weight.
    coverage: this share of the prompts, kind by kind, has no pair; as many pairs of the others.
    placebo: no effect; labels are those without a flaw.

    dose: from 0, no effect, to 1.
    """

    name: FlawName
    dose: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _some_prompts_are_left(self) -> Self:
        if self.name == "coverage" and self.dose == 1:
            raise ValueError("coverage:1 leaves no prompt to compare responses to; lower the dose")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``length:0.5``.

        Raises:
            ValueError: for any other form, an unknown name or a dose outside [0, 1].
        """
        match = _FLAW.match(text.strip())
        known = get_args(FlawName)
        if match is None or match[1] not in known or not 0 <= float(match[2]) <= 1:
            raise ValueError(
                f"flaw {text!r} is not of the form NAME:DOSE, with a dose from 0 to 1 and a name "
                f"among {', '.join(known)}"
            )
        return cls.model_validate({"name": match[1], "dose": float(match[2])})

    @property
    def label(self) -> str:
        """Canonical text, ``name:dose``."""
        return f"{self.name}:{self.dose:g}"
