"""What a monitor sees and supplies: a file that watches a run as a practitioner does.

A monitor is a module named after it, with literals that the catalog reads without importing it:
    READS: the signals that it needs (``overopt.spec.monitor``), such as ``("kl_nats",)``; ``()``
        where the step is enough.
    ACTS: "alarm" where somebody should look, "stop" where the run should end.
    FROM_INITIAL: False where the first look need not be the initial policy, as a log may begin
        later; such runs are kept from all others. True by default.
    Config: a frozen dataclass of ``spec.param`` fields, among them ``limit``: the monitor rings at
        the first look at which its statistic is above it.
and these functions:
    statistic(config, seen) -> float | None: how suspicious the last look is, judged from all looks
        so far; None where that cannot be said yet. It must not depend on ``limit``.
    reason(config, seen, value) -> str: what is told when it rings, in one line.

``seen`` holds what was seen up to now, the initial policy first, so that no monitor knows the
future. Nothing in it comes from gold, and nothing that a monitor may import leads to gold. Where a
monitor is scored, ``limit`` is set by the same rule for all, on other seeds than those that are
scored; the default in the file serves runs that have nothing to be calibrated on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from overopt.errors import UserError, one_line
from overopt.execution.code.modules import load_module
from overopt.spec.monitor import LIMIT, MonitorSpec

_LONGEST_REASON = 300


class Look(NamedTuple):
    """What is seen of the policy at one step; None where it was not measured.

    Attributes:
        step: gradient steps so far.
        kl_nats: KL from the initial policy, nats per response, estimated from samples.
        length: mean tokens of a response.
        entropy_nats: mean entropy of a response, nats.
        reward: mean of the reward that is optimized, above the initial policy, in its SDs.
        spread: SD over the members of an ensemble, mean over samples, in SDs of the initial policy.
        heldout_proxy: as ``reward``, of a reward model that learned from other comparisons and that
            nobody optimizes.
        outlier_share: share of samples that are outliers among the reward model's hidden states.
        energy_loss: energy lost in the policy's last layer, above that of the initial policy, in
            SDs over the initial policy's responses.
    """

    step: int
    kl_nats: float | None = None
    length: float | None = None
    entropy_nats: float | None = None
    reward: float | None = None
    spread: float | None = None
    heldout_proxy: float | None = None
    outlier_share: float | None = None
    energy_loss: float | None = None


Seen = Sequence[Look]
"""Looks in the order of their steps, the initial policy first, the present one last."""


class Monitor(Protocol):
    """A monitor module."""

    __name__: str
    Config: Any

    def statistic(self, config: Any, seen: Seen, /) -> float | None:
        """How suspicious the last look is; see above."""
        ...

    def reason(self, config: Any, seen: Seen, value: float, /) -> str:
        """Why it rings."""
        ...


class Ring(NamedTuple):
    """A monitor that rings: at which of the looks, for which value, and why."""

    look: int
    value: float
    reason: str


class OpenedMonitor:
    """A monitor bound to its settings; opening it runs its file.

    spec: its declaration. limit: above which its statistic rings.
    """

    def __init__(self, spec: MonitorSpec) -> None:
        module: Any = load_module(spec.source)
        self.spec = spec
        self._module: Monitor = module
        self._config = module.Config(**spec.config)
        self.limit = float(spec.config[LIMIT])

    def lacking(self, seen: Seen) -> list[str]:
        """The signals that it reads and that some look has not."""
        return [name for name in self.spec.reads if any(getattr(one, name) is None for one in seen)]

    def values(self, seen: Seen) -> list[float | None]:
        """Its statistic at each look, each judged from the looks up to it; None at the first.

        Raises:
            UserError: it is neither a finite number nor None.
        """
        told: list[float | None] = [None]
        for end in range(2, len(seen) + 1):
            told.append(self._checked(self._module.statistic(self._config, seen[:end])))
        return told[: len(seen)]

    def watch(self, seen: Seen) -> Ring | None:
        """Where it rings first at its limit, and why; None where it does not."""
        for look, value in enumerate(self.values(seen)):
            if value is not None and value > self.limit:
                return Ring(look, value, self.reason(seen[: look + 1], value))
        return None

    def reason(self, seen: Seen, value: float, limit: float | None = None) -> str:
        """What it says of the last look, at its limit or another one."""
        config = self._config if limit is None else replace(self._config, limit=limit)
        return one_line(str(self._module.reason(config, seen, value)), _LONGEST_REASON)

    def _checked(self, value: object) -> float | None:
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        raise UserError(
            f"{self.spec.source}: statistic returns {value!r}; return a finite number, or None "
            "where nothing can be said yet."
        )
