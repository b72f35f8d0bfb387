"""What a claim is judged by: a number with its error, and p values of the possible verdicts."""

from __future__ import annotations

from typing import Literal, NamedTuple

from overopt.stats.error_parts import ErrorPart, half_width, p_value, standard_error
from overopt.stats.students_t import EXPLORATORY_BELOW

ALPHA = 0.05


class Estimate(NamedTuple):
    """A mean with what a test of it needs.

    Its interval and p values are those of comparisons (`overopt.stats.error_parts`):
    Holm's correction reads p values far out in the tails, where a single t distribution for an
    error of several parts rejects up to twice as often as it should at 0.05 / 10.

    Attributes:
        mean: mean over seeds, and over prompts and worlds where there are several.
        parts: of its squared standard error; none with one seed and no prompts.
        n_seeds: seeds in the world that has the fewest.
        n_worlds: worlds.
        over: what the standard error takes for random.
        held: the 95 % interval, of what has no standard error, such as a place; None: by t.
    """

    mean: float
    parts: tuple[ErrorPart, ...]
    n_seeds: int
    n_worlds: int
    over: str
    held: tuple[float, float] | None = None

    @property
    def exploratory(self) -> bool:
        """Whether fewer than 5 seeds stand behind it."""
        return self.n_seeds < EXPLORATORY_BELOW

    @property
    def se(self) -> float | None:
        """Its standard error; None where there is none."""
        return standard_error(self.parts) if self.parts else None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The 95 % interval; None where there is none, as where all values are the same number."""
        if self.held is not None:
            return self.held
        if not self.se:
            return None
        half = half_width(self.parts, ALPHA)
        return self.mean - half, self.mean + half

    def flipped(self) -> Estimate:
        """Of the negative quantity."""
        held = None if self.held is None else (-self.held[1], -self.held[0])
        return self._replace(mean=-self.mean, held=held)

    def p_above(self, bound: float) -> float:
        """Twice the one-sided p value of "the mean is above the bound", at most 1.

        At most 5 % exactly where the 95 % interval lies above the bound. 1 where there is no
        standard error: nothing is shown by a single number. Where all values are the same number,
        as those on a grid may be in a few seeds, t has nothing to say; the sign test has: n of n
        lie above, 2 / 2^n.
        """
        if not self.parts or not self.mean > bound:
            return 1.0
        found = p_value(self.mean - bound, self.parts)
        return 0.5 ** min(part.df for part in self.parts) if found is None else found

    def p_below(self, bound: float) -> float:
        """The same of "the mean is below the bound"."""
        return self.flipped().p_above(-bound)


Side = Literal["reproduced", "contradicted", "partly reproduced"]


class Part(NamedTuple):
    """One test that a claim consists of.

    Attributes:
        name: what was compared, in words.
        estimate: the number that it is judged by, with its own sign.
        p_for: of the claim.
        p_against: of its opposite.
        note: what a reader must know of it; may be empty.
    """

    name: str
    estimate: Estimate
    p_for: float
    p_against: float
    note: str = ""

    @property
    def side(self) -> Side | None:
        """What this part alone shows at 5 %, without any correction."""
        if min(self.p_for, self.p_against) > ALPHA:
            return None
        return "reproduced" if self.p_for < self.p_against else "contradicted"


class Evidence(NamedTuple):
    """What a rule found.

    Attributes:
        p_of: p value of each verdict that it may come to.
        parts: the tests that it consists of, the first one the headline.
    """

    p_of: dict[Side, float]
    parts: tuple[Part, ...]
