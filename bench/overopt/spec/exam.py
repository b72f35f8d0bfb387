"""How an exam of reward models draws its sets."""

from __future__ import annotations

from pydantic import Field

from overopt.spec.frozen import Spec


class ExamSpec(Spec):
    """Sets of responses that reward models are examined on.

    Attributes:
        sets_per_prompt: sets of each design from each held-out prompt.
        strength: how far models other than the initial policy are tilted, SDs.
    """

    sets_per_prompt: int = Field(default=4, ge=1)
    strength: float = Field(default=2.0, gt=0.0)
