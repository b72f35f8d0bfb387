"""Tries a reward-side system on made-up numbers, before a run spends time on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from overopt.engines.blame import blamed, check_finite, check_kind
from overopt.engines.method.loading import AnyOpened, open_as
from overopt.engines.proxy import OpenedProxy
from overopt.engines.proxy_loss import OpenedLoss
from overopt.engines.proxy_members import OpenedMembers
from overopt.engines.rehearsals.sizes import weights
from overopt.errors import UserError
from overopt.proxies.contract.members import MemberTraining
from overopt.proxies.contract.training import RewardBatch
from overopt.spec.system import ProxySystemSpec

RESPONSES = 7


def try_proxy(spec: ProxySystemSpec) -> None:
    """Call every function that a system supplies once.

    Raises:
        UserError: it raises an error, or returns something of another shape or not finite.
    """
    _try_combine(spec)
    if spec.own_loss:
        _try_loss(spec)
    if spec.varies:
        _try_vary(spec)
    if spec.merges:
        _try_merge(spec)


def _open(kind: type[AnyOpened], spec: ProxySystemSpec) -> AnyOpened:
    with blamed(spec.source, "its Config"):
        return open_as(kind, spec)


def _try_combine(spec: ProxySystemSpec) -> None:
    """One finite reward per response."""
    score_MN = np.random.default_rng(0).normal(size=(spec.scored, RESPONSES))
    system = _open(OpenedProxy, spec)
    with blamed(spec.source, "combine"):
        reward_N = system.combine_unchecked(score_MN)
    if reward_N.shape != (RESPONSES,):
        raise UserError(
            f"{spec.source}: combine returns shape {reward_N.shape} for the scores of "
            f"{spec.scored} members on {RESPONSES} responses; it must be "
            f"({RESPONSES},), one reward per response."
        )
    check_finite(spec.source, "combine", torch.from_numpy(reward_N))


def _try_loss(spec: ProxySystemSpec) -> None:
    """One finite loss per comparison, with a gradient."""
    system = _open(OpenedLoss, spec)
    chosen_P, rejected_P = (
        torch.linspace(low, -low, RESPONSES).requires_grad_() for low in (-1.0, 0.5)
    )
    with blamed(spec.source, "loss"):
        loss_P = system.loss(RewardBatch(chosen_P, rejected_P))
        check_finite(spec.source, "loss", loss_P)
        chosen, rejected = torch.autograd.grad(
            loss_P.mean(), (chosen_P, rejected_P), allow_unused=True
        )
    if chosen is None or rejected is None:
        raise UserError(
            f"{spec.source}: loss does not depend on the rewards of both sides, so that nothing "
            "would be learned."
        )
    check_finite(spec.source, "the gradient of loss", torch.cat([chosen, rejected]))


def _try_vary(spec: ProxySystemSpec) -> None:
    """A training for each member."""
    system = _open(OpenedMembers, spec)
    for member in range(spec.members):
        with blamed(spec.source, "vary"):
            found = system.vary(member)
        check_kind(spec.source, "vary", found, MemberTraining)


def _try_merge(spec: ProxySystemSpec) -> None:
    """Weights of the names and shapes of a member's."""
    system = _open(OpenedMembers, spec)
    members = [weights(member) for member in range(spec.members)]
    with blamed(spec.source, "merge"):
        merged = system.merge(members)
    check_kind(spec.source, "merge", merged, Mapping)
    shapes = {name: tuple(value.shape) for name, value in members[0].items()}
    if {name: tuple(np.shape(value)) for name, value in merged.items()} != shapes:
        raise UserError(
            f"{spec.source}: merge returns weights of other names or shapes than the members'; "
            "return one tensor for each of their names."
        )
    for value in merged.values():
        check_kind(spec.source, "merge", value, Tensor)
        check_finite(spec.source, "merge", value)
