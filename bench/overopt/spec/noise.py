"""Label noise: its kinds, the words in which it is asked for, and the label that results carry."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec

_NOISE = re.compile(r"^(?:(flip|random|bt|heavy):)?([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)$")


class NoiseSpec(Spec):
    """Label noise: what stands between the gold's opinion and the recorded preference.

    flip: exactly this fraction of the pairs has its label flipped.
    random: this fraction of the pairs is relabeled by a fair coin (half of them end up flipped).
    bt: preferences drawn with probability sigmoid(gold difference / temperature), in gold SDs.
    heavy: each score gets Student-t error (2 degrees of freedom) of this scale, in gold SDs.
    """

    kind: Literal["flip", "random", "bt", "heavy"]
    amount: float = Field(ge=0)

    @model_validator(mode="after")
    def _amount_fits(self) -> Self:
        if self.kind in ("flip", "random") and self.amount > 1:
            raise ValueError(f"{self.kind} noise is a fraction between 0 and 1, not {self.amount}")
        if self.kind in ("bt", "heavy") and self.amount == 0:
            raise ValueError(f"{self.kind} noise needs an amount above 0; use 0 for no noise")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``0``, ``0.25`` (exact flips), ``random:0.5``, ``bt:1``, ``heavy:0.3``.

        Raises:
            ValueError: for any other form.
        """
        match = _NOISE.match(text.strip())
        if match is None:
            raise ValueError(
                f"noise {text!r} is not of the form 0.25 (fraction of labels flipped), "
                "random:0.5, bt:1.0 or heavy:0.3"
            )
        return cls.model_validate({"kind": match[1] or "flip", "amount": float(match[2])})

    @property
    def label(self) -> str:
        """Canonical text: a bare number for flips, ``kind:amount`` for the rest."""
        amount = f"{self.amount:g}"
        return amount if self.kind == "flip" else f"{self.kind}:{amount}"
