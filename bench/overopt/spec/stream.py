"""How much best-of-n draws beyond the pool, and what forms are fitted to."""

from __future__ import annotations

from pydantic import Field

from overopt.spec.frozen import Spec


class StreamSpec(Spec):
    """A stream of samples of the first held-out prompts, read as best-of-n.

    Attributes:
        prompts: held-out prompts, from the first.
        samples_per_prompt: samples of each.
        n_max: the largest n that is read.
        fitted_up_to: the largest n that forms are fitted to.
    """

    prompts: int = Field(ge=1)
    samples_per_prompt: int = Field(ge=2)
    n_max: int = Field(default=65_536, ge=2)
    fitted_up_to: int = Field(default=1_000, ge=2)
