"""Reward-side systems, resolved."""

from __future__ import annotations

import operator
from typing import Literal, Self

from pydantic import Field, field_validator

from overopt.spec.declare import GoldUse
from overopt.spec.frozen import SourcedSpec, absent
from overopt.spec.method import MethodSpec

MemberStart = Literal["policy", "probed", "policies"]
"""What the members of a system start from, whatever the task says of its proxies: the initial
policy with a fresh head, or with one head that all share, fitted on the policy's frozen states; or,
each member, an initial policy of its own seed with a fresh head."""

ProxyInput = Literal["logps", "reference_logps", "states", "step_ends"]
"""What a loss of a reward model may ask for besides rewards: log-probabilities of the responses'
tokens by the language head that the model keeps, and by the initial policy; hidden states of the
responses' tokens. A score of policies may ask where the responses' steps end."""

LANGUAGE_INPUTS: frozenset[ProxyInput] = frozenset(("logps", "reference_logps"))
"""Those for which a reward model keeps its language head."""

LabelColumn = Literal["category", "strength", "terms", "ratings", "outcomes", "annotator", "clean"]
"""What a system may ask labels for beside the preference."""

GOLD_COLUMNS: frozenset[LabelColumn] = frozenset(("strength", "terms", "ratings", "outcomes"))
"""Those that tell more of gold than a comparison does."""


Reader = Literal[
    "own_proxy", "policy_proxy", "step_member", "pairwise_proxy", "anchored_proxy", "control_proxy"
]


_ATTACKED = 2
"""Plain reward models that an adversary plays against each other."""


class ProxySystemSpec(SourcedSpec):
    """A reward-side system resolved: how many members it has is a field of its ``Config``.

    What a system leaves out stands in no JSON, so that it moves no key.

    own_loss: whether it trains its members by a loss of its own, and so shares them with no other.
    start: what its members start from; None: what the task says.
    varies: whether each member departs from the task's training in its own way.
    merges: whether the weights of its members are merged into one reward model.
    own_head: whether it reads rewards off hidden states by a head of its own.
    settles: whether that head holds more than it was trained to, set after training.
    inputs: what its loss asks for besides rewards.
    judges: whether it scores by a rule, and trains nothing.
    transforms: whether it takes a member's scores against those of frozen responses.
    pairwise: whether its members compare two responses instead of scoring one.
    labels: what its loss asks labels for beside the preference.
    policy: where its members are policies, the method on pairs that trains them.
    own_policy: whether its members are policies that its own loss trains.
    reference: of members that a method trains, the field of ``Config`` that says how much of the
        initial policy's examples the reference has seen; empty: it is the initial policy.
    earlier: the field of ``Config`` that says how much of the initial policy's examples the
        earliest start of a member has seen; empty: all start from the initial policy.
    rounds: the field of ``Config`` that says how often each member is trained; empty: once.
    prepares: whether it makes columns of all pairs before its members are trained.
    optimized: the method whose last policy it is shown for that; None: none.
    attacker: the method that trains an adversary of it; None: it has none.
    attacking: whether this is the system as its adversary sees it.
    routes: whether it chooses pairs that gold labels without noise.
    refits: whether its members are trained again while a policy is optimized against them.
    step_scores: whether its members score steps, and learn from labels of steps.
    uses_gold: what it is told of gold beyond noisy comparisons.
    """

    own_loss: bool = Field(default=False, exclude_if=operator.not_)
    start: MemberStart | None = Field(default=None, exclude_if=absent)
    varies: bool = Field(default=False, exclude_if=operator.not_)
    merges: bool = Field(default=False, exclude_if=operator.not_)
    own_head: bool = Field(default=False, exclude_if=operator.not_)
    settles: bool = Field(default=False, exclude_if=operator.not_)
    inputs: tuple[ProxyInput, ...] = Field(default=(), exclude_if=operator.not_)
    judges: bool = Field(default=False, exclude_if=operator.not_)
    transforms: bool = Field(default=False, exclude_if=operator.not_)
    pairwise: bool = Field(default=False, exclude_if=operator.not_)
    labels: tuple[LabelColumn, ...] = Field(default=(), exclude_if=operator.not_)
    policy: MethodSpec | None = Field(default=None, exclude_if=absent)
    own_policy: bool = Field(default=False, exclude_if=operator.not_)
    reference: str = Field(default="", exclude_if=operator.not_)
    earlier: str = Field(default="", exclude_if=operator.not_)
    rounds: str = Field(default="", exclude_if=operator.not_)
    prepares: bool = Field(default=False, exclude_if=operator.not_)
    optimized: MethodSpec | None = Field(default=None, exclude_if=absent)
    attacker: MethodSpec | None = Field(default=None, exclude_if=absent)
    attacking: bool = Field(default=False, exclude_if=operator.not_)
    routes: bool = Field(default=False, exclude_if=operator.not_)
    uses_gold: GoldUse = Field(default="none", exclude_if=lambda use: use == "none")
    refits: bool = Field(default=False, exclude_if=operator.not_)
    step_scores: bool = Field(default=False, exclude_if=operator.not_)

    @property
    def members(self) -> int:
        """How many reward models of different seeds it trains."""
        return int(self.config["members"])

    @property
    def scored(self) -> int:
        """How many reward models score a response: its members, or the one they are merged into."""
        return 1 if self.merges else self.members

    @property
    def own_training(self) -> bool:
        """Whether its members take more than another loss to train."""
        parts = (self.varies, self.own_head, self.labels, self.rounds, self.prepares)
        return any(parts) or self.start == "probed"

    def start_share(self, member: int) -> float:
        """Share of the initial policy's examples that the start of a member has seen.

        Three starts, evenly spaced: all, halfway and the earliest. Members take them in turn,
        shifted by one after each three, so that rates that go round in threes meet all of them.
        """
        earliest = float(self.config[self.earlier])
        return 1.0 - (1.0 - earliest) * ((member + member // 3) % 3) / 2.0

    @property
    def plain(self) -> Self:
        """The same file over members that are trained as those of a system without own names."""
        return type(self)(name=self.name, source=self.source, config=self.config)

    @property
    def attacked(self) -> Self:
        """The same file as its adversary sees it: two plain members, combined by ``attack``."""
        config = {**self.config, "members": _ATTACKED}
        return self.plain.model_copy(update={"config": config, "attacking": True})

    @property
    def language(self) -> bool:
        """Whether its members keep the language head of the initial policy."""
        return not LANGUAGE_INPUTS.isdisjoint(self.inputs)

    @property
    def reader(
        self,
    ) -> Reader | None:
        """The module of ``artifacts`` for members that only the system's file can score by."""
        if self.policy is not None or self.own_policy:
            return "policy_proxy"
        if self.judges:
            return "control_proxy"
        if self.transforms:
            return "anchored_proxy"
        if self.step_scores:
            return "step_member"
        if self.pairwise:
            return "pairwise_proxy"
        return "own_proxy" if self.own_head else None

    @field_validator("inputs", "labels", mode="before")
    @classmethod
    def _from_list(cls, names: object) -> object:
        return tuple(names) if isinstance(names, list) else names
