"""All cells of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

from overopt.run.cell import Cell
from overopt.run.stacked.blocks import blocks
from overopt.spec.proxy import ProxyStart
from overopt.spec.run import RunSpec
from overopt.spec.task import TaskSpec


def cells_of(run: RunSpec) -> list[Cell]:
    """Every cell of a run: worlds x methods x proxies x starts and sizes x noises x flaws x seeds.

    A method that does not see the proxy has the cells of one proxy (``RunSpec.of``).
    """
    runs = [run.of(method) for method in run.methods]
    cells: list[Cell] = []
    for world in run.worlds:
        sized = cache(partial(resize, in_world(run.task, world)))  # one for all methods and seeds
        cells += [cell for one in runs for cell in _cells(sized, one)]
    return cells


def _cells(sized: Callable[[ProxyStart, int | None, int], TaskSpec], run: RunSpec) -> list[Cell]:
    """Every cell of one world, whose task comes with proxies of each start and size.

    Widths are those of proxies from scratch; a proxy that starts from a model has the model's. A
    system that says what its members start from is not varied over starts.
    """
    together = blocks(run.seeds) if run.engine == "stacked" else {}
    return [
        Cell(
            sized(start, width, comparisons),
            run.gold,
            method,
            proxy,
            noise,
            seed,
            run.engine,
            flaw,
            run.place,
            together.get(seed, ()),
        )
        for method in run.methods
        for proxy in run.proxies
        for start in run.starts_of(proxy)
        for width in (run.proxy_widths if start == "scratch" else (None,))
        for comparisons in run.comparisons
        for noise in run.noises
        for flaw in (None, *run.flaws)
        for seed in run.seeds
    ]


def tell_blind(run: RunSpec) -> str:
    """What a run says of methods that do not see the proxy; empty where nothing is left out."""
    blind = [method.name for method in run.methods if not method.sees_proxy]
    offered = len(run.proxies) * len(run.proxy_starts) * len(run.proxy_widths)
    if not blind or offered == 1:
        return ""
    verb, it = ("does", "it runs") if len(blind) == 1 else ("do", "each runs")
    return (
        f"{', '.join(blind)} {verb} not see the proxy: {it} once per world, noise and seed, "
        f"and the first proxy ({run.proxies[0].name}) only scores the policies"
    )


def first_of_worlds(cells: Sequence[Cell]) -> list[Cell]:
    """The first cell of each world, for what a world has once."""
    first: dict[int, Cell] = {}
    for cell in cells:
        first.setdefault(cell.world, cell)
    return list(first.values())


def in_world(task: TaskSpec, world: int) -> TaskSpec:
    """The task in the world of another seed."""
    return task.model_copy(update={"world": task.world.model_copy(update={"seed": world})})


def resize(
    task: TaskSpec, start: ProxyStart, proxy_width: int | None, comparisons: int
) -> TaskSpec:
    """The task with proxies of another start, width and number of comparisons."""
    proxy = task.proxy.started(start).resized(proxy_width, comparisons)
    return task.model_copy(update={"proxy": proxy})
