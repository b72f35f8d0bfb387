"""Proxies with a planted error: trained as ever, and then made worse by a known amount."""

from __future__ import annotations

from typing import Any

from overopt.errors import UserError
from overopt.execution.code.modules import module_in
from overopt.execution.node import Node
from overopt.run.given.once import once_per_spec
from overopt.run.making import Make, Stream
from overopt.run.own_files import described
from overopt.run.proxy_nodes import Around, ProxyNodes
from overopt.spec.proxy import ProxySpec
from overopt.spec.system import ProxySystemSpec

_READER = module_in("artifacts", "planted.score_error")


@once_per_spec
def _without_error(spec: ProxySpec) -> ProxySpec:
    return spec.model_copy(update={"error": None})


class PlantedNodes(ProxyNodes):
    """Proxies of a cell whose scores have an error planted in them."""

    def __init__(
        self,
        system: ProxySystemSpec,
        described: dict[str, Any],
        spec: ProxySpec,
        stream: Stream,
        make: Make,
        around: Around,
    ) -> None:
        super().__init__(system, described, _without_error(spec), stream, make, around)
        assert spec.error is not None, "see plain_or_planted"
        self._error = spec.error
        self.reading_code = (*self.reading_code, _READER)
        self._planted: dict[int, Node] = {}

    def proxy(self, member: int) -> Node:
        """One proxy of the cell, with its error."""
        if member not in self._planted:
            params = {"error": described(self._error), "seed": self._stream.seed}
            label = f"proxy {member} with a {self._error.distribution} error, {self._stream.place}"
            inputs = {"proxy": super().proxy(member)}
            self._planted[member] = self._make("planted.error", params, inputs, label)
        return self._planted[member]


def plain_or_planted(system: ProxySystemSpec, spec: ProxySpec) -> type[ProxyNodes]:
    """What makes the proxies of a system as the task has them.

    Raises:
        UserError: the task plants an error, and the system's scores are not those of plain reward
            models; or it correlates attributes, and the system learns none.
    """
    if spec.correlation is not None and "terms" not in system.labels:
        raise UserError(
            f"proxy.correlation is one of attributes, and {system.name} learns none; choose "
            "--proxy composite."
        )
    if spec.error is None:
        return ProxyNodes
    if system.reader is not None or system.refits or system.step_scores:
        raise UserError(
            f"proxy.error is planted in the score of a plain reward model, and {system.name} "
            "scores otherwise; choose another --proxy, such as single."
        )
    return PlantedNodes
