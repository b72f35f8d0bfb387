"""The part of a cell's graph that makes proxies of steps and their scores."""

from __future__ import annotations

from typing import Any, Protocol

from overopt.errors import UserError
from overopt.execution.code.modules import module_in
from overopt.execution.node import Node
from overopt.run.making import NO_REFITTING, Make, Refitting, Stream
from overopt.run.own_files import described
from overopt.spec.noise import NoiseSpec
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec


class Around(Protocol):
    """The graph that proxies of steps are a part of: what they are made from."""

    @property
    def initial(self) -> Node:
        """The initial policy."""
        ...

    @property
    def pairs(self) -> Node:
        """Unlabeled pairs."""
        ...

    @property
    def labels(self) -> Node:
        """Preference data."""
        ...


class StepNodes:
    """Proxies of steps of a cell, the labels that they learn from, and their scores.

    reading_code: what has to be loaded by name to read such a proxy.

    Args:
        system: the reward-side system.
        described: its JSON without the place of a user's own file.
        task, noise: of the cell.
        stream: of the cell.
        make: makes nodes of the cell's world.
        around: the rest of the graph.

    Raises:
        UserError: responses of the world have no steps, or the noise is none of steps.
    """

    def __init__(
        self,
        system: ProxySystemSpec,
        described: dict[str, Any],
        task: TaskSpec,
        noise: NoiseSpec,
        stream: Stream,
        make: Make,
        around: Around,
    ) -> None:
        name = system.name
        if not task.world.has_steps:
            raise UserError(
                f"{name} scores steps, but responses of {task.name} have none; "
                "use --task arithmetic."
            )
        if noise.kind not in ("flip", "random"):
            raise UserError(
                f"{name} learns from labels of steps, which know no noise {noise.label}; "
                "give a share of flipped labels such as 0.25, or random:0.5."
            )
        self._name, self._source, self._described = name, system.source, described
        self._spec, self._noise, self._place = task.proxy, noise, stream.place
        self._seed = stream.seed
        self._make, self._around = make, around
        self.reading_code: tuple[str, ...] = (module_in("artifacts", "step_member"),)

    @property
    def refitting(self) -> Refitting:
        """What a run against these proxies needs besides: nothing, they stay."""
        return NO_REFITTING

    @property
    def labels(self) -> Node:
        """Labels of the steps of this seed's pairs, through the same noise."""
        params = {"noise": described(self._noise), "seed": self._seed}
        label = f"labels of steps, {self._place}"
        return self._make("step_labels", params, {"pairs": self._around.pairs}, label)

    def proxy(self, member: int) -> Node:
        """One proxy of steps of this seed and noise."""
        start = self._spec.start
        params = {
            "proxy": described(self._spec),
            "system": self._described,
            "seed": self._seed,
            "member": member,
        }
        inputs = {"labels": self._around.labels, "step_labels": self.labels}
        if start == "policy":
            inputs["initial"] = self._around.initial
        code = (self._source, module_in("models.starts", start))
        label = f"{self._name} proxy {member}, {self._place}"
        return self._make("step_proxy", params, inputs, label, code)

    def score(self, member: int, samples: Node, role: str) -> Node:
        """One proxy's scores on the samples of the pool or of an evaluation."""
        inputs = {"samples": samples, "proxy": self.proxy(member)}
        label = f"{self._name} proxy {member} on {role}, {self._place}"
        return self._make("step_score", {"system": self._described}, inputs, label, (self._source,))
