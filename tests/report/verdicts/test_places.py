"""Claims about the place of the best arm, on arms whose curves are known."""

from __future__ import annotations

from overopt.papers.contract import Arm, BestBelow, BestBetween, BestOf, Peak, Value
from overopt.report.verdicts.arms import Measured

from .planted import arm_rows
from .test_judging import verdict

NUMBERS = (0.01, 0.1, 1.0)


def arms(system: str) -> list[Arm]:
    return [Arm("rloo", system, settings=(f"rloo.beta={x:g}",)) for x in NUMBERS]


def best(system: str) -> BestOf:
    return BestOf("coefficient", tuple(zip(NUMBERS, map(Peak, arms(system)), strict=True)))


def planted(system: str, tops: tuple[float, ...], start: int, noise: float = 0.01) -> Measured:
    """Arms that peak at a height of their own at 4 nats."""
    return {
        arm: arm_rows(lambda d, top=top: top * d * (1.0 - d / 4.0), number=start + n, noise=noise)  # type: ignore[misc]
        for n, (arm, top) in enumerate(zip(arms(system), tops, strict=True))
    }


MEASURED: Measured = {
    **planted("warm", (1.5, 1.2, 1.0), 10),
    **planted("single", (1.0, 1.2, 1.5), 20),
}


def test_the_place_of_the_highest_peak() -> None:
    found = verdict(BestBelow(best("warm"), best("single")), MEASURED)
    assert found.verdict == "reproduced"
    assert "first, the highest mean is at 0.01" in found.reason
    assert verdict(BestBelow(best("single"), best("warm")), MEASURED).verdict == "contradicted"
    assert verdict(BestBetween(best("warm"), 0.01, 0.1), MEASURED).verdict == "reproduced"
    assert verdict(BestBetween(best("single"), 0.01, 0.1), MEASURED).verdict == "contradicted"


def test_arms_that_are_alike_have_no_best() -> None:
    alike = {
        **planted("warm", (1.0, 1.0, 1.0), 30, noise=0.3),
        **planted("single", (1.0, 1.0, 1.0), 40, noise=0.3),
    }
    found = verdict(BestBelow(best("warm"), best("single")), alike)
    assert found.verdict == "not resolved at this scale"
    assert found.low is not None and found.high is not None and found.low < 0.0 < found.high
    assert verdict(BestBetween(best("warm"), 0.01, 0.1), alike).effect is not None


def test_one_seed_is_told() -> None:
    one = {arm: arm_rows(lambda d: d, seeds=1) for arm in arms("warm")}
    levels = tuple((x, Value(arm, "auroc")) for x, arm in zip(NUMBERS, arms("warm"), strict=True))
    found = verdict(BestBetween(BestOf("coefficient", levels), 0.01, 0.1), one)
    assert found.verdict == "not run here" and "other seeds" in found.reason
