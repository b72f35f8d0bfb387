"""Reward-side systems resolved from their files, every setting given and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast, get_args

from overopt.catalog.declarations import Declaration, require_functions, unknown
from overopt.catalog.gold_use import gold_use
from overopt.catalog.lookup import declaration
from overopt.errors import UserError
from overopt.spec.method import MethodSpec
from overopt.spec.system import GOLD_COLUMNS, LabelColumn, MemberStart, ProxyInput, ProxySystemSpec

Settings = Mapping[str, object] | None
_MOST_MEMBERS = 1000

_PROXY = {
    "combine": "config, score_MN",
    "loss": "config, batch",
    "merge": "config, weights",
    "vary": "config, member",
    "make_head": "config, shape",
    "settle": "config, head, trained",
    "route": "config, features, budget",
    "refit": "config",
    "score": "config, reading",
    "transform": "config, score_N, reference_NJ",
    "prepare": "config, known",
    "judge": "config, seen",
    "attack": "config, score_MN",
}
"""A proxy system supplies at least one of these."""


_STEPS = {"reduce": "config, step_NT, mask_NT"}
"""What a proxy system with STEP_SCORES supplies, and may add combine to."""


def resolve_proxy(
    name: str, given: Mapping[str, object] | None, method: Callable[[str, Settings], MethodSpec]
) -> ProxySystemSpec:
    """The reward-side system resolved.

    Args:
        name: of the system, or its file.
        given: values of fields of its ``Config``.
        method: resolves the method that trains members which are policies.

    Raises:
        UserError: the file, or a value, is not as it should be.
    """
    found = declaration("proxies", name)
    if "FAMILY" in found.constants:
        raise UserError(f"{found.source}: this is a method; give it with --method.")
    config = found.resolve(given or {})
    members = config.get("members")
    if not isinstance(members, int) or isinstance(members, bool):
        raise UserError(
            f"{found.source}: Config has no field members; declare how many reward models the "
            "system combines, `members: int = param(1, help=..., at_least=1)`."
        )
    if not 1 <= members <= _MOST_MEMBERS:
        raise UserError(
            f"{found.source}: members = {members}; a system combines 1 to {_MOST_MEMBERS}."
        )
    if found.constants.get("STEP_SCORES", False) is not False:
        return _step_proxy(found, config)
    supplied = [name for name in _PROXY if name in found.functions]
    for name in supplied or ["combine"]:
        require_functions(found, {name: _PROXY[name]}, "a proxy system")
    policy = _policy_method(found, config, method)
    own_policy = policy is None and {"score", "loss"} <= found.functions.keys()
    spec = ProxySystemSpec(
        name=found.name,
        source=found.source,
        config=config,
        own_loss="loss" in supplied,
        start="policy" if policy is not None or own_policy else _member_start(found),
        policy=policy,
        own_policy=own_policy,
        reference=found.constants.get("REFERENCE", ""),
        earlier=found.constants.get("EARLIER", ""),
        varies="vary" in supplied,
        merges="merge" in supplied,
        own_head="make_head" in supplied,
        settles="settle" in supplied,
        inputs=_names(found, "INPUTS", get_args(ProxyInput)),
        judges="judge" in supplied,
        transforms="transform" in supplied,
        pairwise=found.constants.get("PAIRWISE", False),
        labels=_names(found, "LABELS", get_args(LabelColumn)),
        rounds=found.constants.get("ROUNDS", ""),
        prepares="prepare" in supplied,
        optimized=_optimized(found, config, method),
        attacker=_attacker(found, config, method),
        routes="route" in supplied,
        refits="refit" in supplied,
        uses_gold=gold_use(found, "none"),
    )
    _check_parts(spec)
    _check_policies(spec, found)
    return spec


def _sharing(
    name: str, config: Mapping[str, Any], method: Callable[[str, Settings], MethodSpec]
) -> MethodSpec:
    """A method with the settings that it shares with a system."""
    known = {one.name for one in declaration("methods", name).parameters}
    return method(name, {key: value for key, value in config.items() if key in known})


def _optimized(
    found: Declaration,
    config: Mapping[str, Any],
    method: Callable[[str, Settings], MethodSpec],
) -> MethodSpec | None:
    """OPTIMIZED, the method whose policy ``prepare`` is shown, with the settings it shares."""
    name = found.constants.get("OPTIMIZED")
    if name is None:
        return None
    made = _sharing(str(name), config, method)
    if made.family not in ("pairs", "rollout") or "prepare" not in found.functions:
        raise UserError(
            f"{found.source}: OPTIMIZED names a method of the family pairs or rollout, whose "
            f"policy prepare(config, known) is shown; {name} is of the family {made.family}."
        )
    return made


def _attacker(
    found: Declaration,
    config: Mapping[str, Any],
    method: Callable[[str, Settings], MethodSpec],
) -> MethodSpec | None:
    """ATTACKER, the method that trains an adversary, with the settings it shares."""
    name = found.constants.get("ATTACKER")
    if (name is None) != ("attack" not in found.functions):
        raise UserError(
            f"{found.source}: attack(config, score_MN), pick(config, attack_MN, initial_MN) and "
            'ATTACKER, such as ATTACKER = "rloo", go together; declare all or none.'
        )
    if name is None:
        return None
    require_functions(found, {"pick": "config, attack_MN, initial_MN"}, "a system with ATTACKER")
    made = _sharing(str(name), config, method)
    if made.family != "rollout":
        raise UserError(
            f"{found.source}: ATTACKER = {name!r} is a method of the family {made.family}; an "
            "adversary is trained by a method of the family rollout."
        )
    return made


def _policy_method(
    found: Declaration,
    config: Mapping[str, Any],
    method: Callable[[str, Settings], MethodSpec],
) -> MethodSpec | None:
    """POLICY, the method that trains members which are policies, with the settings it shares."""
    name = found.constants.get("POLICY")
    if name is None:
        return None
    made = _sharing(str(name), config, method)
    if made.family != "pairs":
        raise UserError(
            f"{found.source}: POLICY = {name!r} is a method of the family {made.family}; members "
            "that are policies are trained by a method of the family pairs."
        )
    if made.sees_proxy:
        raise UserError(
            f"{found.source}: POLICY = {name!r} asks for what a proxy says, and its policies would "
            "be the proxy; name a method that learns from the preference data alone."
        )
    return made


def _check_policies(spec: ProxySystemSpec, found: Declaration) -> None:
    """What goes with members that are policies."""
    if ("score" in found.functions) != (spec.policy is not None or spec.own_policy):
        raise UserError(
            f'{spec.source}: score(config, reading) and POLICY, such as POLICY = "dpo", go '
            "together; declare both or neither, or a loss that trains the policies."
        )
    if "step_ends" in spec.inputs and "score" not in found.functions:
        raise UserError(
            f"{spec.source}: INPUTS asks where steps end, which is for a score of policies; define "
            "score(config, reading), or leave it out."
        )
    if spec.own_policy:
        own = spec.varies or spec.merges or spec.own_head or spec.pairwise or spec.refits
        if own or spec.rounds or {"START", "REFERENCE"} & found.constants.keys():
            raise UserError(
                f"{spec.source}: score and loss make members policies, which start from the "
                "initial policy; leave out START, REFERENCE, PAIRWISE, ROUNDS, make_head, vary, "
                "merge and refit, or score."
            )
        return
    if spec.policy is None and not spec.reference:
        return
    others = (spec.own_loss, spec.own_training, spec.merges, spec.routes)
    if spec.policy is None or any(others) or "START" in found.constants:
        raise UserError(
            f"{spec.source}: members are policies that a method trains by itself, or reward models "
            "with a loss, head, start or labels of their own; leave out one or the other."
        )
    if spec.reference:
        share = spec.config.get(spec.reference)
        if not isinstance(share, float) or not 0 < share <= 1:
            raise UserError(
                f"{spec.source}: REFERENCE names a field of Config that is a share from above 0 to "
                f"1; {spec.reference} is {share!r}."
            )


def _names(found: Declaration, constant: str, known: Sequence[str]) -> Any:
    """A constant that is a tuple of known names; empty where the file does not declare it."""
    asked = found.constants.get(constant, ())
    if not isinstance(asked, tuple):
        raise UserError(
            f'{found.source}: {constant} = {asked!r} is not a tuple, such as ("{known[0]}",).'
        )
    for name in asked:
        if name not in known:
            raise UserError(f"{found.source}: {unknown(constant, str(name), known)}")
    return asked


def _check_parts(spec: ProxySystemSpec) -> None:
    """Parts of a system that need each other, or cannot stand together."""
    if (
        spec.language
        and not spec.own_policy
        and not (spec.own_head and spec.own_loss and spec.start == "policy")
    ):
        raise UserError(
            f"{spec.source}: INPUTS are for a loss of a model that keeps its language head; "
            'define loss and make_head, and declare START = "policy".'
        )
    if spec.inputs and not spec.own_policy and not (spec.own_head and spec.own_loss):
        raise UserError(
            f"{spec.source}: INPUTS are for a loss of a model with a head of its own; define loss "
            "and make_head."
        )
    if spec.settles and (spec.pairwise or not spec.own_head):
        raise UserError(
            f"{spec.source}: settle is for a head that scores single responses; define make_head, "
            "and leave out PAIRWISE."
        )
    compares = spec.own_head and spec.own_loss and "opponents" in spec.config
    if spec.pairwise and (spec.inputs or not compares):
        raise UserError(
            f"{spec.source}: PAIRWISE is for a head that compares and a loss of both orders, with "
            "a field opponents in Config, how many responses a response is compared with; define "
            "make_head and loss, and leave out INPUTS."
        )
    own = spec.own_training or spec.own_policy or spec.policy is not None
    if spec.transforms and (own or spec.merges or spec.refits or "references" not in spec.config):
        raise UserError(
            f"{spec.source}: transform is for plain reward models, with a loss of their own at "
            "most, and a field references in Config, how many frozen responses a response is "
            "taken against; add the field, and leave out heads, starts, LABELS, ROUNDS, vary, "
            "merge, refit and policies."
        )
    if spec.labels and not spec.own_loss:
        raise UserError(f"{spec.source}: LABELS are for a loss; define loss(config, batch).")
    if spec.attacker is not None and (spec.labels or spec.routes or spec.policy is not None):
        raise UserError(
            f"{spec.source}: no labels say more than the preference of what an adversary writes, "
            "and no method on pairs learns from it; leave out LABELS, route and POLICY."
        )
    if spec.prepares and (not spec.own_loss or spec.own_policy):
        raise UserError(
            f"{spec.source}: prepare makes columns that a loss of reward models reads; define "
            "loss(config, batch), and leave out score."
        )
    if spec.rounds:
        rounds = spec.config.get(spec.rounds)
        if not spec.own_loss or type(rounds) is not int or rounds < 1:
            raise UserError(
                f"{spec.source}: ROUNDS names a field of Config that is a count from 1, how often "
                "each member is trained, for a loss that reads what the round before says; define "
                f"loss(config, batch), and add the field; {spec.rounds} is {rounds!r}."
            )
    if spec.earlier:
        share = spec.config.get(spec.earlier)
        is_share = isinstance(share, float) and 0 < share <= 1
        if spec.start != "probed" or spec.prepares or not is_share:
            raise UserError(
                f"{spec.source}: EARLIER names a field of Config that is a share from above 0 to "
                f'1, for members with START = "probed" and without prepare; {spec.earlier} is '
                f"{share!r}."
            )
    if spec.routes and {"annotator", "clean"}.intersection(spec.labels):
        raise UserError(
            f"{spec.source}: pairs that route chooses are labeled anew, by gold; leave out "
            "annotator and clean in LABELS, or route."
        )
    if spec.routes and not {"budget", "trials"} <= spec.config.keys():
        raise UserError(
            f"{spec.source}: route is for a Config with budget, the share of the pairs that gold "
            "may label, and trials, how often that is tried on others; add both fields."
        )
    if spec.routes and spec.uses_gold != "training":
        raise UserError(
            f"{spec.source}: pairs that route chooses are labeled by gold without noise; declare "
            'USES_GOLD = "training".'
        )
    if spec.refits and spec.uses_gold != "training":
        raise UserError(
            f"{spec.source}: gold labels fresh samples for refit during the run; declare "
            'USES_GOLD = "training".'
        )
    if spec.refits and (spec.own_training or spec.merges or spec.policy is not None):
        raise UserError(
            f"{spec.source}: refit is for plain reward models, with a loss of their own at most; "
            "leave it out, or heads, starts, LABELS, vary, merge and POLICY."
        )
    trains = spec.own_loss or spec.own_training or spec.own_policy or spec.policy is not None
    if spec.judges and (trains or spec.merges or spec.transforms or spec.refits or spec.routes):
        raise UserError(
            f"{spec.source}: judge scores by a rule, and nothing is trained; leave out loss, "
            "heads, starts, labels, merge, transform, refit and route, or judge."
        )
    if GOLD_COLUMNS.intersection(spec.labels) and spec.uses_gold != "training":
        raise UserError(
            f"{spec.source}: {' and '.join(sorted(GOLD_COLUMNS))} in LABELS tell more of gold than "
            'a comparison does; declare USES_GOLD = "training".'
        )
    if spec.start == "policies" and (spec.merges or spec.inputs):
        raise UserError(
            f'{spec.source}: members with START = "policies" share no start, so that their weights '
            "have no mean and no policy is the reference of all; leave out merge and INPUTS."
        )
    if spec.own_head and (spec.merges or spec.start == "probed"):
        raise UserError(
            f"{spec.source}: a head of make_head is neither merged nor fitted beforehand; leave "
            'out merge and START = "probed", or make_head.'
        )


def _member_start(found: Declaration) -> MemberStart | None:
    """START, what the members start from, if the file declares it."""
    start = found.constants.get("START")
    if start is not None and start not in get_args(MemberStart):
        raise UserError(f"{found.source}: {unknown('start', str(start), get_args(MemberStart))}")
    return cast(MemberStart | None, start)


def _step_proxy(found: Declaration, config: dict[str, bool | int | float | str]) -> ProxySystemSpec:
    """A system whose members score steps; that it uses gold's opinion of each has to be said."""
    constants = found.constants
    if constants["STEP_SCORES"] is not True or constants.get("LABELS") != ("steps",):
        raise UserError(
            f"{found.source}: a system that scores steps learns from gold's opinion of each; "
            'declare it, STEP_SCORES = True and LABELS = ("steps",).'
        )
    if "loss" in found.functions:
        raise UserError(
            f"{found.source}: a system that scores steps learns their labels by cross-entropy; "
            "it takes no loss of its own."
        )
    require_functions(found, _STEPS, "a proxy system with STEP_SCORES")
    if "combine" in found.functions:
        require_functions(found, {"combine": _PROXY["combine"]}, "a proxy system")
    return ProxySystemSpec(name=found.name, source=found.source, config=config, step_scores=True)
