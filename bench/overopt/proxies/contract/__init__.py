"""What a reward-side system supplies: how its members are trained, and how they become one reward.

A system is a module named after it, with literals that the catalog reads without importing it:
    Config: a frozen dataclass of ``spec.param`` fields, among them ``members``: how many reward
        models it combines (same data, different seeds).
and at least one of these functions:
    combine(config, score_MN) -> score_N: pure; score_MN holds each member's scores, recentered and
        scaled to mean 0 and SD 1 under the initial policy. Without it: their mean.
    loss(config, batch) -> loss_P: see ``overopt.proxies.contract.training``. Without it:
        Bradley-Terry, and members of all such systems are trained once and shared.
    merge(config, weights) -> weights: the members' weights become those of one reward model, which
        alone scores; see ``overopt.proxies.contract.members``.
    vary(config, member) -> MemberTraining: learning rate and dropout of each member.
    score(config, reading) -> score_N: the reward where members are policies, which POLICY or a
        loss beside it says; see ``overopt.proxies.contract.policies``.
    make_head(config, shape) -> module: a head of its own in place of the linear one; see
        ``overopt.proxies.contract.heads``.
    settle(config, head, trained) -> None: what the head holds besides its trained weights, fitted
        to the states that the comparisons have once training is over; needs ``make_head``. What a
        task's few steps would hardly move from where it starts, such as a scale or what reads
        states without gradient, is found here by ``minimum.minimize``.
What its members start from is the task's matter, unless the file says it:
    START = "policy": the initial policy with a fresh head; "probed": the initial policy and one
        head for all members, fitted to the same comparisons on the policy's frozen hidden states;
        "policies": each member an initial policy trained from another seed, with a fresh head.
    EARLIER = "earliest": with START = "probed", members start from three initial policies in turn,
        of all examples and of those down to the share that this field of ``Config`` says, each with
        a head fitted on its own states. Each is a run of its own from the same first weights, with
        its own schedule, not a checkpoint of one run.
What a loss costs extra to compute, it asks for:
    INPUTS = ("logps", "reference_logps"): log-probabilities of both responses by the model's own
        language head, which is then kept beside the reward's, and by the initial policy. They
        need ``make_head`` and START = "policy".
    INPUTS = ("states",): hidden states of all tokens of both responses. They need ``make_head``.
    transform(config, score_N, reference_NJ) -> reward_N: a member's scores against those of frozen
        responses to the same prompt; see ``overopt.proxies.contract.anchors``.
    PAIRWISE = True: members compare two responses; see ``overopt.proxies.contract.pairwise``.
    LABELS = ("category", "strength", "terms", "ratings", "outcomes", "annotator", "clean"): what
        labels say beside the preference; see ``overopt.proxies.contract.labels``.
    ROUNDS = "rounds": the field of Config that says how often each member is trained, every time
        from its start; its loss then finds in ``ReadBatch.previous_P`` what the round before says.
    prepare(config, known) -> columns: what is made of all pairs before training, such as weights;
        OPTIMIZED, the method whose policy is known too: see ``overopt.proxies.contract.known``.
    attack(config, score_MN), pick(config, attack_MN, initial_MN), and ATTACKER, a method: members
        learn from what fools plain ones, too; see ``overopt.proxies.contract.attacks``.
    refit(config) -> Refit: members are trained again during a run on fresh samples that gold
        labels; see ``overopt.proxies.contract.refits``. Needs USES_GOLD.
    judge(config, seen) -> score_N: a rule in place of members, see
        ``overopt.proxies.contract.controls``.
    route(config, features, budget) -> mask: which pairs gold labels, without noise.
    USES_GOLD = "training": has to stand where the labels asked for tell more of gold than a noisy
        comparison does.
The loss of a system with ``make_head``, ``vary``, ``prepare``, LABELS, ROUNDS or START = "probed"
is handed a ``heads.ReadBatch``, which is a ``RewardBatch`` with more in it.
A system whose members score steps supplies ``reduce``: see ``overopt.proxies.contract.steps``.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class ProxySystem(Protocol):
    """A proxy module."""

    __name__: str
    Config: Any


class Combines(ProxySystem, Protocol):
    """A module that combines its members in its own way."""

    def combine(self, config: Any, score_MN: npt.NDArray[np.float64], /) -> npt.NDArray[np.float64]:
        """One reward for each of N responses from the scores of M members."""
        ...
