"""The part of a cell's graph that makes proxies and their scores."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from overopt.errors import UserError
from overopt.execution.code.modules import find_module, module_in
from overopt.execution.node import Node
from overopt.run.making import NO_REFITTING, Make, Refitting, Stream
from overopt.run.own_files import described
from overopt.spec.method import MethodSpec
from overopt.spec.proxy import ProxySpec
from overopt.spec.system import ProxySystemSpec

_OF_WORLD = {
    "category": ("categories", "the categories of prompts"),
    "outcomes": ("outcomes", "the outcomes of responses"),
}
"""Columns that only some kinds of worlds can fill, by a module of theirs."""
_NOISY = frozenset(("terms", "ratings", "outcomes"))
"""Columns that go through the noise of labels."""


class Around(Protocol):
    """The graph that proxies are a part of: what they are made from."""

    @property
    def initial(self) -> Node:
        """The initial policy."""
        ...

    @property
    def labels(self) -> Node:
        """Preference data."""
        ...

    @property
    def gold(self) -> Node:
        """The gold."""
        ...

    @property
    def pool(self) -> Node:
        """Responses of the initial policy with their gold, which scale it."""
        ...

    def run_pairs(self, method: MethodSpec, member: int) -> Node:
        """A run of a method on the preference data, to its last step."""
        ...

    def earlier(self, share: float) -> Node:
        """The initial policy after a share of its examples."""
        ...

    def run_optimized(self, method: MethodSpec) -> Node:
        """A run of a method, on the pairs or against plain reward models, to its last step."""
        ...

    def attack(self, method: MethodSpec) -> dict[str, Node]:
        """An adversary's run against plain reward models, and these, by role."""
        ...

    def sibling(self, member: int) -> Node:
        """The initial policy as another seed would train it."""
        ...

    @property
    def gold_code(self) -> tuple[str, ...]:
        """What has to be loaded by name to read the gold."""
        ...


class ProxyNodes:
    """Proxies of a cell and their scores; each proxy is made once.

    reading_code: what has to be loaded by name to read a proxy.

    Args:
        system: the reward-side system.
        described: its JSON without the place of a user's own file.
        spec: how the task builds and trains proxies.
        stream: of the cell.
        make: makes nodes of the cell's world.
        around: the rest of the graph.
    """

    def __init__(
        self,
        system: ProxySystemSpec,
        described: dict[str, Any],
        spec: ProxySpec,
        stream: Stream,
        make: Make,
        around: Around,
    ) -> None:
        self._system, self._described, self._spec = system, described, spec
        self._stream, self._make, self._around = stream, make, around
        self._text_code = () if spec.base is None else (module_in("models", "reading"),)
        own = () if system.reader is None else (module_in("artifacts", system.reader),)
        if system.attacking:
            own = (*own, module_in("engines", "proxy.attacks"))
        if "step_ends" in system.inputs:
            own = (*own, module_in("worlds", "steps"))
        if system.judges and system.uses_gold == "training":
            own = (*own, *around.gold_code)
        self.reading_code: tuple[str, ...] = (*self._text_code, *own)
        self._made: dict[int, Node] = {}

    @property
    def refitting(self) -> Refitting:
        """What a run against these proxies needs besides."""
        if not self._system.refits:
            return NO_REFITTING
        around, start = self._around, self._spec.start
        params = {"proxy": described(self._spec), "noise": around.labels.params["noise"]}
        inputs = {
            "refit.labels": around.labels,
            "refit.gold": around.gold,
            "refit.pool": around.pool,
        }
        if start == "policy":
            inputs["refit.initial"] = around.initial
        own = (module_in("artifacts", "refit"), module_in("models.starts", start))
        return Refitting(params, inputs, (*own, *around.gold_code))

    @cached_property
    def _labels(self) -> Node:
        """The preference data that members learn from."""
        around, system = self._around, self._system
        if system.attacker is not None:
            return self._attacked(system.attacker)
        if not system.routes:
            return around.labels
        noise, kind = around.labels.params["noise"], str(around.labels.params["world"]["kind"])
        module = module_in("worlds", f"{kind}.categories")
        known = find_module(module) is not None
        params = {
            "system": self._described,
            "noise": noise,
            "seed": self._stream.seed,
            "categories": known,
        }
        inputs = {
            "labels": around.labels,
            "gold": around.gold,
            "pool": around.pool,
            "initial": around.initial,
        }
        code = (system.source, *around.gold_code, *((module,) if known else ()))
        label = f"labels routed by {system.name}, {self._stream.place}"
        return self._make("own.routed_labels", params, inputs, label, code)

    def _attacked(self, method: MethodSpec) -> Node:
        """The preference data with what an adversary has found."""
        around, system = self._around, self._system
        inputs = {
            "labels": around.labels,
            "gold": around.gold,
            "initial": around.initial,
            **around.attack(method),
        }
        params = {"system": self._described, "seed": self._stream.seed}
        label = f"labels attacked for {system.name}, {self._stream.place}"
        code = (system.source, *around.gold_code, *self._text_code)
        return self._make("own.attacked_labels", params, inputs, label, code)

    def proxy(self, member: int) -> Node:
        """One of the proxies that score: a member, or what members are merged into."""
        if member not in self._made:
            self._made[member] = self._proxy(member)
        return self._made[member]

    def _proxy(self, member: int) -> Node:
        if self._system.policy is not None:
            return self._policy(self._system.policy, member)
        if self._system.judges:
            return self._control(member)
        if self._system.transforms:
            return self._anchored(member)
        return self._merged() if self._system.merges else self._member(member)

    def _policy(self, method: MethodSpec, member: int) -> Node:
        """A member that is a policy, with its reference."""
        system, around = self._system, self._around
        reference = around.initial
        if system.reference:
            reference = around.earlier(float(system.config[system.reference]))
        params = {"proxy": described(self._spec), "system": self._described, "member": member}
        inputs = {
            "optimize": around.run_pairs(method, member),
            "reference": reference,
            "labels": around.labels,
        }
        label = f"{system.name} proxy {member}, {self._stream.place}"
        code = (system.source, *self.reading_code)
        return self._make("own.policy_proxy", params, inputs, label, code)

    def _anchored(self, member: int) -> Node:
        """A plain member, whose scores are taken against those of frozen responses."""
        system = self._system
        inputs = {
            "member": self._member(member),
            "opponents": self._opponents("references"),
            "labels": self._labels,
        }
        label = f"{system.name} {self._named(member)}, {self._stream.place}"
        code = (system.source, *self.reading_code)
        return self._make("own.anchored_proxy", {"system": self._described}, inputs, label, code)

    def _control(self, member: int) -> Node:
        """A rule in place of a reward model; it is handed gold only where it declares its use."""
        system, around = self._system, self._around
        params = {"system": self._described, "seed": self._stream.seed}
        inputs = {"labels": around.labels}
        if system.uses_gold == "training":
            inputs["gold"] = around.gold
        label = f"{system.name} {member}, {self._stream.place}"
        return self._make(
            "own.control_proxy", params, inputs, label, (system.source, *self.reading_code)
        )

    def _merged(self) -> Node:
        """The system's members merged into one proxy."""
        params = {"proxy": described(self._spec), "system": self._described}
        inputs = {"labels": self._labels}
        for member in range(self._system.members):
            inputs[f"member.{member}"] = self._member(member)
        label = f"{self._system.name} merged, {self._stream.place}"
        code = (self._system.source, *self._text_code)
        return self._make("own.merged_proxy", params, inputs, label, code)

    def _member(self, member: int) -> Node:
        """One member as it was trained."""
        system, start = self._system, self._spec.start
        params = {"proxy": described(self._spec), "seed": self._stream.seed, "member": member}
        label = f"{self._named(member)}, {self._stream.place}"
        inputs = {"labels": self._labels}
        if start == "policy":
            several = system.start == "policies"
            inputs["initial"] = self._around.sibling(member) if several else self._around.initial
        if system.earlier:
            inputs["initial"] = self._around.earlier(system.start_share(member))
        if system.prepares:
            inputs["initial"] = inputs.get("initial", self._around.initial)
        if system.optimized is not None:
            inputs["optimized"] = self._around.run_optimized(system.optimized)
        if system.labels:
            inputs["columns"] = self._columns()
        if system.pairwise:
            inputs["opponents"] = self._opponents("opponents")
        code: tuple[str, ...] = self._text_code
        if not system.language:  # which needs the policy whole, its language head too
            code += (module_in("models.starts", start),)
        if system.own_policy:
            params["system"] = self._described
            own = (system.source, *self.reading_code)
            return self._make("own.trained_policy", params, inputs, f"{system.name} {label}", own)
        if system.own_loss or system.own_training:
            params["system"] = self._described
            label = f"{system.name} {label}"
            code += (system.source,)
        if system.pairwise:
            code += (module_in("artifacts", "pairwise_proxy"),)
        if system.settles:
            code += (module_in("artifacts", "settling"),)
        if system.prepares:
            code += (module_in("artifacts", "known_pairs"),)
        if system.own_training:
            return self._make("own.proxy", params, inputs, label, code)
        if system.own_loss:
            code += (module_in("artifacts", "proxy_loss"),)
        return self._make("proxy", params, inputs, label, code)

    def _opponents(self, field: str) -> Node:
        """Frozen responses that members compare with, as many as a field of Config says."""
        params = {
            "per_prompt": int(self._system.config[field]),
            "seed": self._stream.seed,
        }
        label = f"responses to compare with, {self._stream.place}"
        around = self._around
        stage, inputs = "own.opponents", {"initial": around.initial}
        if around.gold.params["world"].get("pool") is not None:
            stage, inputs = "pooled.opponents", {}
        return self._make(stage, params, inputs, label)

    def _columns(self) -> Node:
        """What labels say beside the preference.

        Raises:
            UserError: prompts of this kind of world have no category, or responses no outcome, or
                labels of this task say not what is asked for.
        """
        around, asked = self._around, self._system.labels
        params = {
            "columns": sorted(asked),
            "noise": around.labels.params["noise"],
            "seed": self._stream.seed,
        }
        labeling = around.labels.params.get("labeling", {})
        for mark, key, words in (
            ("annotator", "annotators", "which annotators labeled a pair"),
            ("clean", "clean", "which labels passed no noise"),
        ):
            if mark in asked and key not in labeling:
                raise UserError(
                    f"{self._system.name} asks {words}, and labels of this task do not say; "
                    f"choose a --task with labels.{key}, such as reviews-{key}."
                )
        if self._spec.correlation is not None:
            params["correlation"] = self._spec.correlation
        if "annotator" in asked:
            params["annotators"] = len(labeling["annotators"])
        inputs = {"labels": self._labels, "gold": around.gold, "pool": around.pool}
        code = around.gold_code
        if self._spec.correlation is not None:
            code += (module_in("artifacts", "planted.attributes"),)
        kind = str(around.labels.params["world"]["kind"])
        for column, (room, what) in _OF_WORLD.items():
            if column not in asked:
                continue
            module = module_in("worlds", f"{kind}.{room}")
            if find_module(module) is None:
                raise UserError(
                    f"{self._system.name} asks for {what}, but those of a {kind} world have none; "
                    "choose another --proxy or --task."
                )
            code += (module,)
        label, stage = f"columns of labels, {self._stream.place}", "own.label_columns"
        uneven = {name: labeling[name] for name in ("clean", "noise") if name in labeling}
        if uneven and _NOISY.intersection(asked):
            stage, params["labeling"] = "people.label_columns", uneven
            inputs["marked"] = around.labels
            if "noise" in uneven:
                code += (module_in("worlds", f"{kind}.{uneven['noise']['by']}"),)
        return self._make(stage, params, inputs, label, code)

    def _named(self, member: int) -> str:
        """A proxy for people; those from scratch, which generated worlds start with, just so."""
        start = self._spec.start
        return f"proxy {member}" if start == "scratch" else f"proxy {member} from the {start}"

    def score(self, member: int, samples: Node, role: str) -> Node:
        """One proxy's scores on the samples of the pool or of an evaluation."""
        inputs = {"samples": samples, "proxy": self.proxy(member)}
        label = f"{self._named(member)} on {role}, {self._stream.place}"
        if self._system.reader is None:
            return self._make("score", {}, inputs, label, self.reading_code)
        params = {"system": self._described}
        return self._make("score", params, inputs, label, (self._system.source, *self.reading_code))
