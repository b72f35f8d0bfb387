"""A planted error of the proxy's score, by distribution and dose."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from overopt.spec.frozen import Spec

ErrorDistribution = Literal["normal", "student", "lognormal", "levy"]


class ScoreErrorSpec(Spec):
    """What is added to a proxy's score of each response: ``dose`` times a draw of its own.

    The draw belongs to prompt and response, so that a response is scored the same wherever it
    turns up, and is independent of gold and of what the proxy has learned.

    distribution: ``normal``; ``student`` (t with ``shape`` degrees of freedom); ``lognormal``
        (exp(``shape`` Z)); ``levy`` (1/Z^2, without a mean).
    dose: in SDs of the proxy's score under the initial policy; 0 plants nothing.
    shape: of t, degrees of freedom, by default 3; of the lognormal, sigma, by default 1.
    """

    distribution: ErrorDistribution = "normal"
    dose: float = Field(default=1.0, ge=0)
    shape: float | None = Field(default=None, gt=0)
