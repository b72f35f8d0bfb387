"""What is computed seed by seed, and the seeds that refuse."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

Found = TypeVar("Found")


class LeftOut(NamedTuple):
    """A seed that could not be used, by its position among the seeds, and why."""

    seed: int
    reason: str


def each_seed(
    compute: Callable[..., Found], *arguments_S: Sequence[object]
) -> tuple[dict[int, Found], tuple[LeftOut, ...]]:
    """What a function finds for each seed by position, and where it refuses, with its reason.

    Raises:
        ValueError: if the arguments are of different numbers of seeds.
    """
    found: dict[int, Found] = {}
    left_out: list[LeftOut] = []
    for seed, arguments in enumerate(list(zip(*arguments_S, strict=True))):
        try:
            found[seed] = compute(*arguments)
        except ValueError as refusal:  # too few points are refused rather than a number invented
            left_out.append(LeftOut(seed, str(refusal)))
    return found, tuple(left_out)


def split_refused(
    seeds: Iterable[int], found: Iterable[Found | ValueError]
) -> tuple[dict[int, Found], tuple[LeftOut, ...]]:
    """As `each_seed`, of what was found for all these seeds at once."""
    kept: dict[int, Found] = {}
    left_out: list[LeftOut] = []
    for seed, one in zip(seeds, found, strict=True):
        if isinstance(one, ValueError):
            left_out.append(LeftOut(seed, str(one)))
        else:
            kept[seed] = one
    return kept, tuple(left_out)
