"""One run: the resolved task, its worlds, methods, proxies, noises and seeds."""

from __future__ import annotations

import operator
from typing import Literal, Self

from pydantic import Field

from overopt.spec.declare import GoldUse
from overopt.spec.engine import Engine
from overopt.spec.flaw import FlawSpec
from overopt.spec.frozen import Spec
from overopt.spec.gold import GoldSpec
from overopt.spec.level import LevelSpec
from overopt.spec.look import Look
from overopt.spec.method import MethodSpec
from overopt.spec.noise import NoiseSpec
from overopt.spec.proxy import ProxyStart
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec

Along = Literal["step", "knob"]
"""How a method that trains reaches a KL budget: as its run passes it, or by its knob."""

RATE_FACTORS = (0.5, 1.0, 2.0)
"""Multiples of a task's learning rate among which ``bench tune`` chooses, unless told others."""


class RunSpec(Spec):
    """One ``bench run``: the resolved task, what is varied in it, and the KL axis.

    worlds: seeds of the worlds; ``task`` is that of the first.
    flaws: of the preference data, each run beside the data without any.
    proxy_widths: of proxies from scratch; None for the task's own.
    tuned: whether methods train at learning rates that ``bench tune`` has chosen.
    looks: what is looked at beside policies that other runs leave out.
    levels: settings that are those of this run because an axis has them among its levels; the
        rest of the specification has them already.
    """

    task: TaskSpec
    worlds: tuple[int, ...]
    gold: GoldSpec
    methods: tuple[MethodSpec, ...]
    proxies: tuple[ProxySystemSpec, ...]
    noises: tuple[NoiseSpec, ...]
    flaws: tuple[FlawSpec, ...] = Field(default=(), exclude_if=operator.not_)
    proxy_starts: tuple[ProxyStart, ...]
    proxy_widths: tuple[int | None, ...]
    comparisons: tuple[int, ...]
    seeds: tuple[int, ...]
    along: Along = "step"
    engine: Engine = "native"
    kl_grid_nats: tuple[float, ...]
    standard: bool
    tuned: bool = Field(default=False, exclude_if=operator.not_)
    looks: tuple[Look, ...] = Field(default=(), exclude_if=operator.not_)
    levels: tuple[LevelSpec, ...] = Field(default=(), exclude_if=operator.not_)

    def of(self, method: MethodSpec) -> Self:
        """The run of one of its methods.

        Policies of a method that does not see the proxy are the same whatever scores them, so
        that it is run for one proxy only: the first system, start and width score it.
        """
        asked: dict[str, object] = {"methods": (method,)}
        if not method.sees_proxy:
            for axis in ("proxies", "proxy_starts", "proxy_widths"):
                asked[axis] = getattr(self, axis)[:1]
        return self.model_copy(update=asked)

    def along_of(self, method: MethodSpec) -> Along:
        """What moves a method along KL: one whose knob needs no training has its knob only."""
        return self.along if method.retrains else "knob"

    def starts_of(self, proxy: ProxySystemSpec) -> tuple[ProxyStart, ...]:
        """What proxies of a system start from: one that says so itself starts from a policy."""
        return self.proxy_starts if proxy.start is None else ("policy",)

    def gold_use(self, method: MethodSpec) -> GoldUse:
        """What one of its methods is told of gold, by itself or through the proxies it sees.

        A proxy of steps says no more than that; it is trained on gold's opinion of each step.
        """
        told = any(proxy.uses_gold == "training" or proxy.step_scores for proxy in self.proxies)
        return "training" if told and method.sees_proxy else method.uses_gold

    @property
    def place(self) -> str:
        """The levels of this run in words; empty without axes."""
        return ", ".join(level.label for level in self.levels)
