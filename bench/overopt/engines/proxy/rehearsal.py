"""Tries a reward-side system on made-up numbers, before a run spends time on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from overopt.engines.blame import blamed, check_finite, check_kind
from overopt.engines.method.loading import AnyOpened, open_as
from overopt.engines.proxy import OpenedProxy
from overopt.engines.proxy.anchors import OpenedAnchors
from overopt.engines.proxy.attacks import OpenedAttack
from overopt.engines.proxy.controls import OpenedControl
from overopt.engines.proxy.loss import OpenedLoss
from overopt.engines.proxy.members import OpenedMembers
from overopt.engines.proxy.policies import OpenedPolicies
from overopt.engines.rehearsals.sizes import TOKENS, weights
from overopt.errors import UserError
from overopt.proxies.contract.controls import Seen
from overopt.proxies.contract.heads import (
    HeadShape,
    HeadStates,
    ReadBatch,
    Reading,
    TrainedStates,
)
from overopt.proxies.contract.known import KnownPairs
from overopt.proxies.contract.labels import PairTags
from overopt.proxies.contract.members import MemberTraining
from overopt.proxies.contract.pairwise import PairStates
from overopt.proxies.contract.policies import PolicyReading
from overopt.proxies.contract.training import FreshBatch, RewardBatch
from overopt.spec.system import LabelColumn, ProxySystemSpec

RESPONSES = 7
_TAGS, _TRIALS = 4, 9
_SIZES: dict[LabelColumn, int] = {
    "category": 3,
    "strength": 1,
    "terms": 2,
    "ratings": 2,
    "outcomes": 2,
    "annotator": 2,
    "clean": 1,
}


def _shape(spec: ProxySystemSpec, terms: int | None = None) -> HeadShape:
    sizes = dict(_SIZES)
    if terms is not None:
        sizes["terms"] = sizes["ratings"] = terms
    return HeadShape(6, {name: sizes[name] for name in spec.labels})


def _labels(
    spec: ProxySystemSpec, generator: torch.Generator, terms: int | None
) -> dict[str, Tensor]:
    """Columns as a loss would find them."""
    of_rule = terms or _SIZES["terms"]
    made = {
        "category": torch.arange(RESPONSES) % _SIZES["category"],
        "strength": torch.rand(RESPONSES, generator=generator),
        "annotator": torch.arange(RESPONSES) % _SIZES["annotator"],
        "clean": torch.arange(RESPONSES) % 3 == 0,
        "ratings": torch.randn(RESPONSES, 2, of_rule, generator=generator),
        "terms": torch.randint(-1, 2, (RESPONSES, of_rule), generator=generator).float(),
        "outcomes": torch.randint(0, 2, (RESPONSES, 2), generator=generator).float(),
    }
    return {name: made[name] for name in spec.labels}


def try_proxy(spec: ProxySystemSpec, terms: int | None = None) -> None:
    """Call every function that a system supplies once.

    Args:
        spec: of the system.
        terms: of the gold rule that it learns from; None where it is not known.

    Raises:
        UserError: it raises an error, or returns something of another shape or not finite.
    """
    _try_combine(spec)
    if spec.own_head:
        _try_head(spec)
    if spec.settles:
        _try_settle(spec, terms)
    if spec.own_loss:
        _try_loss(spec, terms)
    if spec.varies:
        _try_vary(spec)
    if spec.merges:
        _try_merge(spec)
    if spec.routes:
        _try_route(spec)
    if spec.policy is not None or spec.own_policy:
        _try_score(spec)
    if spec.transforms:
        _try_transform(spec)
    if spec.judges:
        _try_judge(spec)
    if spec.attacker is not None:
        _try_attack(spec.attacked)
    if spec.refits:
        with blamed(spec.source, "refit"):
            _open(OpenedProxy, spec).refit()


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


def _try_loss(spec: ProxySystemSpec, terms: int | None) -> None:
    """One finite loss per comparison, with a gradient on both sides."""
    with blamed(spec.source, "loss"):
        if spec.own_training:
            members = _open(OpenedMembers, spec)
            read, sides = made_up_batch(spec, members, terms)
            loss_P = members.loss(read)
            if spec.rounds:
                check_finite(spec.source, "loss", members.loss(read._replace(previous_P=None)))
        else:
            low_2 = (-1.0, 0.5)
            chosen_P, rejected_P = (
                torch.linspace(low, -low, RESPONSES).requires_grad_() for low in low_2
            )
            sides = chosen_P, rejected_P
            opened = _open(OpenedLoss, spec)
            if spec.refits:
                fresh = FreshBatch(chosen_P, rejected_P, torch.arange(RESPONSES) % 2 == 0)
                check_finite(spec.source, "loss", opened.loss(fresh))
                loss_P = opened.loss(FreshBatch(chosen_P, rejected_P))
            else:
                loss_P = opened.loss(RewardBatch(chosen_P, rejected_P))
        check_finite(spec.source, "loss", loss_P)
        chosen, rejected = torch.autograd.grad(loss_P.mean(), sides, allow_unused=True)
    if chosen is None or rejected is None:
        raise UserError(
            f"{spec.source}: loss does not depend on the rewards of both sides, so that nothing "
            "would be learned."
        )
    check_finite(spec.source, "the gradient of loss", torch.cat([chosen.ravel(), rejected.ravel()]))


def made_up_batch(
    spec: ProxySystemSpec, system: OpenedMembers, terms: int | None = None
) -> tuple[ReadBatch, tuple[Tensor, Tensor]]:
    """A batch with all that a system asks for, and the leaf of each side that rewards come from.

    The leaf is the head's outputs (P, C); where the system has no head the rewards (P,), or the
    log-probabilities (P, T) of members that are policies.
    """
    generator = torch.Generator().manual_seed(0)
    mask_PT, told = _mask(), spec.own_policy
    leaves, readings, rewards = [], [], []
    for _ in range(2):
        leaf = torch.randn(RESPONSES, generator=generator)
        if spec.own_head:
            leaf = system.make_head(_shape(spec, terms), seed=0)(_states(spec, generator)).detach()
        logp_PT, reference_PT = (
            -(0.1 + 2.9 * torch.rand(mask_PT.shape, generator=generator)) * mask_PT
            for _ in range(2)
        )
        if spec.own_policy:
            leaf = logp_PT
        leaf.requires_grad_()
        readings.append(
            Reading(
                leaf if spec.own_head else None,
                logp_PT.requires_grad_() if told or "logps" in spec.inputs else None,
                reference_PT if told or "reference_logps" in spec.inputs else None,
                _token_states(spec, mask_PT, generator) if "states" in spec.inputs else None,
                mask_PT.sum(1).float(),
            )
        )
        leaves.append(leaf)
        reward_P = leaf[:, 0] if spec.own_head else leaf
        if spec.own_policy:
            reading = _policy_reading(spec, logp_PT, reference_PT, mask_PT)
            reward_P = _open(OpenedPolicies, spec).score(reading)
        rewards.append(reward_P)
    chosen_P, rejected_P = rewards
    chosen, rejected = readings
    labels = _labels(spec, generator, terms)
    if spec.prepares:
        labels |= _prepared(spec, system, labels)
    previous_P = torch.randn(RESPONSES, generator=generator) if spec.rounds else None
    # the last member finds a rule of too few terms
    member = 0 if terms is None else spec.members - 1
    batch = ReadBatch(chosen_P, rejected_P, chosen, rejected, labels, member, previous_P)
    return batch, (leaves[0], leaves[1])


def _prepared(
    spec: ProxySystemSpec, system: OpenedMembers, labels: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """What a system makes of pairs of which one response's first number is larger."""
    rng = np.random.default_rng(0)
    chosen, rejected, optimized = (rng.normal(size=(RESPONSES, 6)) for _ in range(3))
    chosen[:, 0] += 3.0
    values = {name: value.numpy() for name, value in labels.items()}
    known = KnownPairs(chosen, rejected, values)
    if spec.optimized is not None:
        known = known._replace(
            chosen_ratio_P=rng.normal(size=RESPONSES),
            rejected_ratio_P=rng.normal(size=RESPONSES),
            optimized_PD=optimized,
        )
    return {name: torch.from_numpy(value) for name, value in system.prepare(known).items()}


def _try_score(spec: ProxySystemSpec) -> None:
    """One finite reward per response."""
    system, generator = _open(OpenedPolicies, spec), torch.Generator().manual_seed(0)
    mask_NT = _mask()
    policy_NT, reference_NT = (
        -3.0 * torch.rand(mask_NT.shape, generator=generator, dtype=torch.float64) * mask_NT
        for _ in range(2)
    )
    with blamed(spec.source, "score"):
        score_N = system.score(_policy_reading(spec, policy_NT, reference_NT, mask_NT))
    check_finite(spec.source, "score", score_N)


def _policy_reading(
    spec: ProxySystemSpec, policy_NT: Tensor, reference_NT: Tensor, mask_NT: Tensor
) -> PolicyReading:
    """What two policies say of responses whose steps end at their second and at their last token.

    Those that ask for no steps find none.
    """
    if "step_ends" not in spec.inputs:
        return PolicyReading(policy_NT, reference_NT, mask_NT)
    place_T = torch.arange(mask_NT.shape[1])
    last_N1 = mask_NT.sum(1, keepdim=True) - 1
    end_NT = (place_T == last_N1) | ((place_T == 1) & mask_NT)
    return PolicyReading(policy_NT, reference_NT, mask_NT, end_NT)


def _try_attack(spec: ProxySystemSpec) -> None:
    """One finite number per response for the adversary, and a mask of its responses."""
    rng = np.random.default_rng(0)
    attack_MN, initial_MN = (rng.normal(size=(spec.members, RESPONSES)) for _ in range(2))
    system = _open(OpenedAttack, spec)
    with blamed(spec.source, "attack"):
        system.combine(attack_MN)
    with blamed(spec.source, "pick"):
        system.pick(attack_MN, initial_MN)


def _try_judge(spec: ProxySystemSpec) -> None:
    """One finite number per response, with gold only where its use is declared."""
    length_N, draw_N, gold_N = np.random.default_rng(0).normal(size=(3, RESPONSES))
    seen = Seen(np.ceil(np.abs(length_N)), draw_N, gold_N if spec.uses_gold == "training" else None)
    system = _open(OpenedControl, spec)
    with blamed(spec.source, "judge"):
        system.judge(seen)


def _try_transform(spec: ProxySystemSpec) -> None:
    """One finite number per response, against as many frozen ones as the system asks for."""
    rng = np.random.default_rng(0)
    references = rng.normal(size=(RESPONSES, int(spec.config["references"])))
    system = _open(OpenedAnchors, spec)
    with blamed(spec.source, "transform"):
        system.transform(rng.normal(size=RESPONSES), references)


def _mask() -> Tensor:
    """Responses of 1 to T tokens, bool (N, T)."""
    return torch.arange(TOKENS) < torch.arange(RESPONSES)[:, None] % TOKENS + 1


def _token_states(spec: ProxySystemSpec, mask_PT: Tensor, generator: torch.Generator) -> Tensor:
    """States of the responses' tokens, differentiable."""
    state_PTD = torch.randn(*mask_PT.shape, _shape(spec).width, generator=generator)
    return (state_PTD * mask_PT[:, :, None]).requires_grad_()


def _states(spec: ProxySystemSpec, generator: torch.Generator) -> HeadStates | PairStates:
    """What the head reads of some responses, or of pairs of them."""

    def drawn() -> HeadStates:
        shape = (RESPONSES, _shape(spec).width)
        return HeadStates(*(torch.randn(shape, generator=generator) for _ in range(2)))

    return PairStates(drawn(), drawn()) if spec.pairwise else drawn()


def _try_head(spec: ProxySystemSpec) -> None:
    """Outputs of a row for each response, the same whenever it is in evaluation mode."""
    system = _open(OpenedMembers, spec)
    with blamed(spec.source, "make_head"):
        head = system.make_head(_shape(spec), seed=0)
    check_kind(spec.source, "make_head", head, nn.Module)
    head.eval()
    states = _states(spec, torch.Generator().manual_seed(0))
    with blamed(spec.source, "the module of make_head"), torch.no_grad():
        output, again = head(states), head(states)
    check_kind(spec.source, "the module of make_head", output, Tensor)
    if output.dim() != 2 or len(output) != RESPONSES:
        raise UserError(
            f"{spec.source}: the module of make_head returns shape {tuple(output.shape)} for "
            f"{RESPONSES} responses; it must be ({RESPONSES}, C), the reward in column 0."
        )
    check_finite(spec.source, "the module of make_head", output)
    if not torch.equal(output, again):
        raise UserError(
            f"{spec.source}: the module of make_head returns other outputs for the same states in "
            "evaluation mode; draw at random in training mode only."
        )


def _try_settle(spec: ProxySystemSpec, terms: int | None) -> None:
    """Finite outputs after it as before."""
    system, generator = _open(OpenedMembers, spec), torch.Generator().manual_seed(0)
    head = system.make_head(_shape(spec, terms), seed=0).eval()
    sides = [_states(spec, generator) for _ in range(2)]
    chosen, rejected = (side for side in sides if isinstance(side, HeadStates))
    length_P = _mask().sum(1).float()
    trained = TrainedStates(
        chosen, rejected, length_P, length_P.flip(0), _labels(spec, generator, terms)
    )
    with blamed(spec.source, "settle"):
        system.settle(head, trained)
    with blamed(spec.source, "the module of make_head"), torch.no_grad():
        output = head(chosen)
    check_finite(spec.source, "the module of make_head after settle", output)


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


def _try_route(spec: ProxySystemSpec) -> None:
    """A mask of the pairs within a budget of none, some and all of them."""
    system, rng = _open(OpenedMembers, spec), np.random.default_rng(0)
    features = PairTags(
        rng.random((RESPONSES, _TAGS)) < 0.5,
        rng.integers(RESPONSES, size=(_TRIALS, _TAGS)).astype(np.float64),
        rng.random(_TRIALS),
    )
    for budget in (0, 3, RESPONSES):
        with blamed(spec.source, "route"):
            system.route(features, budget)
