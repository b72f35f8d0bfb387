"""One run: the resolved task, its worlds, methods, proxies, noises and seeds."""

from __future__ import annotations

from typing import Literal

from overopt.spec.frozen import Spec
from overopt.spec.gold import GoldSpec
from overopt.spec.method import MethodSpec
from overopt.spec.noise import NoiseSpec
from overopt.spec.proxy import ProxyStart
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec

Engine = Literal["native", "trl"]

Along = Literal["step", "knob"]
"""How a method that trains reaches a KL budget: as its run passes it, or by its knob."""


class RunSpec(Spec):
    """One ``bench run``: the resolved task, what is varied in it, and the KL axis.

    worlds: seeds of the worlds; ``task`` is that of the first.
    proxy_widths: of proxies from scratch; None for the task's own.
    """

    task: TaskSpec
    worlds: tuple[int, ...]
    gold: GoldSpec
    methods: tuple[MethodSpec, ...]
    proxies: tuple[ProxySystemSpec, ...]
    noises: tuple[NoiseSpec, ...]
    proxy_starts: tuple[ProxyStart, ...]
    proxy_widths: tuple[int | None, ...]
    comparisons: tuple[int, ...]
    seeds: tuple[int, ...]
    along: Along = "step"
    engine: Engine = "native"
    kl_grid_nats: tuple[float, ...]
    standard: bool
