"""What a hub run takes from outside, and what its stages are expected to cost.

Made before anything is downloaded or loaded; the formulas are in ``hub_work``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.run.forecasts.hub_work import SAMPLING_ROWS, HubWork
from overopt.run.forecasts.machines import ASSUMED, Accelerator, Machine
from overopt.run.forecasts.model_sizes import Sizes, UnknownSize
from overopt.run.forecasts.source_need import SourceNeed
from overopt.run.forecasts.stages import Estimate, laptop
from overopt.run.sources import Source, sources
from overopt.spec.hub import DataOrigin
from overopt.spec.origins import ModelOrigin
from overopt.spec.placement import ACCELERATED_PARAMETERS
from overopt.spec.run import RunSpec
from overopt.worlds.hub.folders import find, open_model

_PROCESS_BYTES = 900_000_000
"""Main memory of a worker before it holds a model."""


def needs(run: RunSpec, offline: bool) -> tuple[SourceNeed, ...]:
    """Look at every model and table of a run, where they are and how large."""
    sizes = Sizes()
    return tuple(_need(one, sizes, offline) for one in sources(run))


def _need(source: Source, sizes: Sizes, offline: bool) -> SourceNeed:
    origin = source.origin
    place = find(origin)
    note = ""
    size_gb = origin.download_gb
    parameters = _parameters(source, sizes)
    if place is not None:
        files = [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]
        size_gb = sum(file.stat().st_size for file in files) / 1e9
        if source.head is not None and isinstance(origin, ModelOrigin):
            try:
                size_gb = open_model(origin, source.role, source.head).size_bytes / 1e9
            except UserError as error:
                note = str(error)
    elif size_gb is None and parameters is not None:
        size_gb = 2 * parameters / 1e9  # folders of a hub are mostly 2 bytes a number
    if not (origin.is_pinned or origin.allow_unpinned):
        note = "unpinned: bench run refuses it"
    absent = "missing offline" if offline else "to download"
    return SourceNeed(
        role=source.role,
        name=origin.shown,
        revision="local" if origin.path is not None else (origin.revision or "none"),
        license=origin.license or "not stated",
        state="here" if place is not None else absent,
        size_gb=size_gb,
        is_model=not isinstance(origin, DataOrigin),
        parameters=parameters,
        note=note,
    )


def _parameters(source: Source, sizes: Sizes) -> float | None:
    if not isinstance(source.origin, ModelOrigin):
        return None
    try:
        return sizes.of(source.origin, source.role).parameters
    except UnknownSize:
        return None


def needs_accelerator(needed: Sequence[SourceNeed]) -> bool:
    """Whether a model is large enough to gain from an accelerator, or may be."""
    return any(
        one.is_model and (one.parameters is None or one.parameters >= ACCELERATED_PARAMETERS)
        for one in needed
    )


def machine_of(needed: Sequence[SourceNeed], found: Accelerator | None) -> Machine:
    """Where a run is costed.

    On the accelerator that was found; where none was, and a model is large enough to need one, on
    one that is assumed; and on the CPU if all models are small.
    """
    if found is not None:
        return Machine(found, is_found=True)
    return Machine(ASSUMED if needs_accelerator(needed) else None, is_found=False)


def estimator(machine: Machine) -> Callable[[Node], Estimate]:
    """Expected cost of the nodes of hub runs on a machine."""
    work_of = HubWork(Sizes(), machine.cache_bytes).of

    def estimate(made: Node) -> Estimate:
        if made.name in ("front", "measure", "select"):  # arithmetic on tables
            return laptop(made)
        try:
            work = work_of(made)
        except UnknownSize:
            return Estimate(None, None, None, machine.accelerator is not None)
        # what trains goes to an accelerator whatever its size, other stages by that of their models
        wanted = work.trains or work.largest >= ACCELERATED_PARAMETERS
        accelerated = wanted and machine.accelerator is not None
        cache_bytes = min(
            SAMPLING_ROWS * work.cache_row_bytes, machine.cache_bytes(work.memory_bytes)
        )
        return Estimate(
            wall_s=machine.seconds(work.phases, work.load_bytes, accelerated),
            memory_bytes=work.memory_bytes + cache_bytes + (0 if accelerated else _PROCESS_BYTES),
            disk_bytes=work.disk_bytes,
            is_accelerated=accelerated,
            is_assumed=not machine.is_found,
        )

    return estimate


def acceleration(run: RunSpec) -> Callable[[Node], bool]:
    """Which nodes of a run are computed on an accelerator where there is one."""
    if run.task.world.hub is None:
        return lambda made: False
    estimate = estimator(Machine(ASSUMED, is_found=False))
    return lambda made: estimate(made).is_accelerated
