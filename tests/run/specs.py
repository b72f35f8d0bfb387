"""A small run specification for tests that build nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from overopt.catalog import systems, toml_files
from overopt.run.cells import in_world
from overopt.spec.noise import NoiseSpec
from overopt.spec.proxy import ProxyStart
from overopt.spec.run import Along, RunSpec

TASK = Path(__file__).parents[1] / "end_to_end" / "tiny.toml"


def run_spec(
    methods: Sequence[str] = ("dpo",),
    proxies: Sequence[str] = ("single",),
    noises: Sequence[str] = ("0",),
    seeds: Sequence[int] = (0,),
    widths: Sequence[int] = (8,),
    comparisons: Sequence[int] = (64,),
    along: Along = "step",
    kl_grid_nats: Sequence[float] = (0.02, 0.05, 0.1, 0.2),
    starts: Sequence[ProxyStart] = ("scratch",),
    worlds: Sequence[int] = (0,),
) -> RunSpec:
    """The tiny tabular task with these axes."""
    return RunSpec(
        task=in_world(toml_files.load_task(str(TASK)), worlds[0]),
        worlds=tuple(worlds),
        gold=toml_files.load_gold("rule"),
        methods=tuple(systems.method(name) for name in methods),
        proxies=tuple(systems.proxy(name) for name in proxies),
        noises=tuple(NoiseSpec.parse(text) for text in noises),
        proxy_starts=tuple(starts),
        proxy_widths=tuple(widths),
        comparisons=tuple(comparisons),
        seeds=tuple(seeds),
        along=along,
        engine="native",
        kl_grid_nats=tuple(kl_grid_nats),
        standard=False,
    )
