"""Methods and reward-side systems resolved from their files, every setting given and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast, get_args

from pydantic import ValidationError

from overopt.catalog.declarations import Declaration, require_functions, unknown
from overopt.catalog.lookup import declaration
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.spec.declare import (
    INPUT_FAMILIES,
    NEEDS,
    OPPONENTS,
    TRAINING_FAMILIES,
    Family,
    GoldUse,
    Knob,
    MethodInput,
)
from overopt.spec.explanations import explain
from overopt.spec.method import MethodSpec
from overopt.spec.system import GOLD_COLUMNS, LabelColumn, MemberStart, ProxyInput, ProxySystemSpec

FUNCTIONS: dict[Family, dict[str, str]] = {
    "pairs": {"loss": "config, batch"},
    "rollout": {"advantages": "config, rollout", "loss": "config, step"},
    "iterative": {"build": "config, rollout", "loss": "config, batch"},
    "selection": {},
    "merge": {},
}
"""What each family supplies; a test holds it against the protocols of ``methods.contract``."""


_COMPOSED = {"compose": "config, knob"}
"""A method of the families selection and merge supplies this, or what is below it."""
_VALUES = {
    "value_targets": "config, valued",
    "value_loss": "config, value_RT, target_RT",
    **_COMPOSED,
}
_MERGED = {"merge": "config, initial, trained, knob"}
_POOL = {"samples_used": "config, pool_samples, knob"}
_POLICY = {"weights": "config, pool, knob"}
_DRAWS = {"draw_size": "config, knob", "draw_weights": "config, draws, knob"}
"""A method that reweights a pool supplies one of these two, or both."""


_BEGIN = {"begin": "config, initial"}
_HOOKS = {
    "after_step": "config, memory, weights, step",
    "after_round": "config, memory, weights, number",
    "observe": "config, memory, rollout",
}
"""What needs a memory, with which ``begin`` has to come."""


_GRADIENTS = {"perturb": "config, gradient", "correct": "config, first, second"}


OPTIONAL: dict[str, dict[str, str]] = {
    "compose": _COMPOSED,
    "potential": {"potential": "config, grown, knob"},
    "value_targets": _VALUES,
    "value_loss": _VALUES,
    "weights": _POLICY,
    "draw_size": _DRAWS,
    "draw_weights": _DRAWS,
    "unbiased_weights": {"unbiased_weights": "config, pool, knob", **_POLICY},
    "tune": {"tune": "config, pool, gold_BN", **_POLICY},
    "kl_bound_nats": {"kl_bound_nats": "config, knob"},
    "mixture": {"mixture": "config"},
    "first_anchor": {"first_anchor": "config, initial, second"},
    **dict.fromkeys(_GRADIENTS, _GRADIENTS),
    "begin": _BEGIN,
    **{name: {**_BEGIN, name: written} for name, written in _HOOKS.items()},
}
"""What a method that defines an optional function has to define with it."""


_PROXY = {
    "combine": "config, score_MN",
    "loss": "config, batch",
    "merge": "config, weights",
    "vary": "config, member",
    "make_head": "config, shape",
    "route": "config, features, budget",
    "score": "config, reading",
}
"""A proxy system supplies at least one of these."""


_STEPS = {"reduce": "config, step_NT, mask_NT"}
"""What a proxy system with STEP_SCORES supplies, and may add combine to."""


_DECLARE = {
    "FAMILY": 'FAMILY = "pairs"',
    "KNOB": 'KNOB = knob("beta", low=0.01, high=10.0, raises_kl=False)',
    "USES_GOLD": 'USES_GOLD = "none"',
}


def method(name: str, given: Mapping[str, object] | None = None) -> MethodSpec:
    """The method resolved: every field of its Config has a value. Raises UserError."""
    found = declaration("methods", name)
    constants = found.constants
    if "FAMILY" not in constants and "combine" in found.functions:
        raise UserError(f"{found.source}: this is a proxy system; give it with --proxy.")
    for needed, written in _DECLARE.items():
        if needed not in constants:
            raise UserError(
                f"{found.source}: the constant {needed} is missing; declare it, such as {written}."
            )
    if constants["FAMILY"] not in get_args(Family):
        raise UserError(
            f"{found.source}: {unknown('family', str(constants['FAMILY']), get_args(Family))}"
        )
    uses_gold = _gold_use(found)
    _check_inputs(constants, found.source)
    _check_opponents(constants.get("INPUTS", ()), found.functions, found.source)
    _check_second(constants.get("INPUTS", ()), found.functions, found.source)
    _check_hooks(constants["FAMILY"], found.functions, found.source)
    knob = _knob(constants["KNOB"], found.source)
    config = found.resolve(given or {})
    member = _member(constants, config, found.source)
    composes = constants["FAMILY"] in ("selection", "merge") and "compose" in found.functions
    if constants["FAMILY"] in TRAINING_FAMILIES and knob.name not in config:
        raise UserError(f"{found.source}: {unknown('knob', knob.name, config)}")
    spec = MethodSpec(
        name=found.name,
        family=constants["FAMILY"],
        knob=knob,
        uses_gold=uses_gold,
        source=found.source,
        config=config,
        member_family=constants.get("MEMBER_FAMILY"),
        needs=tuple(name for name in NEEDS if name in constants.get("INPUTS", ())),
        member=member,
        composes=composes,
        filters=constants["FAMILY"] == "selection" and "potential" in found.functions,
        values=composes and "value_loss" in found.functions,
    )
    for family in spec.families:
        require_functions(found, FUNCTIONS[family], f"a method of the family {family}")
    if "tune" in found.functions and spec.uses_gold != "selection":
        raise UserError(
            f"{found.source}: tune is handed gold, so that the file has to say so; declare "
            'USES_GOLD = "selection", or rename the function.'
        )
    if spec.filters:
        _check_particles(config, found.source)
    if not (spec.composes or spec.filters):
        _require_the_plain(found, spec.family)
    for name, complete in OPTIONAL.items():
        if name in found.functions:
            require_functions(found, complete, f"a method that defines {name}")
    return spec


def _gold_use(found: Declaration, default: GoldUse | None = None) -> GoldUse:
    """USES_GOLD, which a method has to declare."""
    declared = found.constants.get("USES_GOLD", default)
    if declared not in get_args(GoldUse):
        told = unknown("use of gold", str(declared), get_args(GoldUse))
        raise UserError(f"{found.source}: {told}")
    return cast(GoldUse, declared)


def _knob(pieces: Any, source: str) -> Knob:
    """KNOB, or a UserError that shows how it is written."""
    how = f"write {_DECLARE['KNOB']}"
    if not isinstance(pieces, dict) or len(pieces.get("positional", ())) != 1:
        raise UserError(f"{source}: KNOB does not name a knob; {how}.")
    named = {key: value for key, value in pieces.items() if key != "positional"}
    try:
        found = Knob(name=pieces["positional"][0], **named)
    except ValidationError as error:
        raise UserError(f"{explain(error, f'{source}: KNOB', Knob)} Then {how}.") from error
    if not found.low < found.high:
        raise UserError(
            f"{source}: KNOB is searched from low to high, but low = {found.low:g} is not below "
            f"high = {found.high:g}; swap or widen them."
        )
    return found


def _require_the_plain(found: Declaration, family: Family) -> None:
    """What a method of the families selection and merge supplies that reweights or merges."""
    if family == "merge":
        require_functions(found, _MERGED, "a method of the family merge")
    if family == "selection":
        require_functions(found, _POOL, "a method of the family selection")
        if "draw_weights" not in found.functions:
            require_functions(found, _POLICY, "a selection method without draw_weights")


def _check_particles(config: Mapping[str, Any], source: str) -> None:
    """A method that resamples between tokens says how many particles it has, in how many steps."""
    for name in ("particles", "steps"):
        value = config.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(
                f"{source}: a method that defines potential has a whole number from 1 as the field "
                f"{name} of its Config, `{name}: int = param(4, help=..., at_least=1)`."
            )


def _member(
    constants: Mapping[str, Any], config: Mapping[str, Any], source: str
) -> MethodSpec | None:
    """The method whose run a merge method uses, resolved; None where its own file trains.

    Raises:
        UserError: members are declared by another family, or a merge method declares none.
    """
    merges = constants["FAMILY"] == "merge"
    named = config.get("member")
    if merges and isinstance(named, str):
        if is_file(named):
            raise UserError(f"{source}: member = {named!r}; name a shipped or installed method.")
        spec = method(named)
        if spec.family not in TRAINING_FAMILIES:
            raise UserError(
                f"{source}: member = {named!r} is of the family {spec.family}, which trains "
                f"nothing; name a method of {', '.join(TRAINING_FAMILIES)}."
            )
        return spec
    declared = constants.get("MEMBER_FAMILY") in TRAINING_FAMILIES
    if merges != declared or (merges and "members" not in config):
        raise UserError(
            f"{source}: a method of the family merge, and no other, declares MEMBER_FAMILY "
            f"({', '.join(TRAINING_FAMILIES)}) and has a field members in its Config, or names a "
            "method in a field member."
        )
    return None


def _check_inputs(constants: Mapping[str, Any], source: str) -> None:
    """INPUTS, if declared, is a tuple of known names with at most one kind of states."""
    asked = constants.get("INPUTS", ())
    if not isinstance(asked, tuple):
        raise UserError(f'{source}: INPUTS = {asked!r} is not a tuple, such as ("forward_kl",).')
    for name in asked:
        if name not in get_args(MethodInput):
            raise UserError(f"{source}: {unknown('input', str(name), get_args(MethodInput))}")
        served = INPUT_FAMILIES.get(name, TRAINING_FAMILIES)
        family = constants.get("MEMBER_FAMILY", constants["FAMILY"])
        if family not in served:
            raise UserError(
                f"{source}: INPUTS names {name}, which methods of the family {family} do not get; "
                f"it is for {', '.join(served)}."
            )
    if "policy_states" in asked and "reference_states" in asked:
        raise UserError(f"{source}: a module reads policy_states or reference_states, not both.")


def _check_opponents(
    asked: tuple[MethodInput, ...], functions: Collection[str], source: str
) -> None:
    """Opponents come from one policy; a mixture has a weight; readings of them need some."""
    named = [name for name in OPPONENTS if name in asked]
    if len(named) > 1:
        raise UserError(f"{source}: INPUTS names {' and '.join(named)}; opponents are from one.")
    if "opponents_now" in asked and not named:
        raise UserError(
            f"{source}: INPUTS names opponents_now and no opponents; add {' or '.join(OPPONENTS)}."
        )
    if ("mixture_samples" in asked) != ("mixture" in functions):
        raise UserError(
            f"{source}: mixture_samples in INPUTS and the function mixture(config) go together."
        )


def _check_second(asked: tuple[MethodInput, ...], functions: Collection[str], source: str) -> None:
    """A second initial policy is for an anchor."""
    if ("second_initial" in asked) != ("first_anchor" in functions):
        raise UserError(
            f"{source}: second_initial in INPUTS and the function first_anchor(config, initial, "
            "second) go together."
        )


def _check_hooks(family: str, functions: Collection[str], source: str) -> None:
    """A memory serves hooks; those about samples belong to families that draw some."""
    hooks = [name for name in _HOOKS if name in functions]
    if "begin" in functions and not hooks:
        raise UserError(
            f"{source}: begin makes a memory that nothing uses; define {', '.join(_HOOKS)} or "
            "leave it out."
        )
    if family == "pairs" and set(hooks) - {"after_step"}:
        raise UserError(
            f"{source}: a method of the family pairs draws no samples, so that after_round and "
            "observe would never be called; use after_step."
        )


def proxy(name: str, given: Mapping[str, object] | None = None) -> ProxySystemSpec:
    """The reward-side system resolved. Raises UserError."""
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
    if members < 1:
        raise UserError(f"{found.source}: members = {members}; a system combines at least 1.")
    if found.constants.get("STEP_SCORES", False) is not False:
        return _step_proxy(found, config)
    supplied = [name for name in _PROXY if name in found.functions]
    for name in supplied or ["combine"]:
        require_functions(found, {name: _PROXY[name]}, "a proxy system")
    policy = _policy_method(found, config)
    spec = ProxySystemSpec(
        name=found.name,
        source=found.source,
        config=config,
        own_loss="loss" in supplied,
        start=_member_start(found) if policy is None else "policy",
        policy=policy,
        reference=found.constants.get("REFERENCE", ""),
        varies="vary" in supplied,
        merges="merge" in supplied,
        own_head="make_head" in supplied,
        inputs=_names(found, "INPUTS", get_args(ProxyInput)),
        labels=_names(found, "LABELS", get_args(LabelColumn)),
        routes="route" in supplied,
        uses_gold=_gold_use(found, "none"),
    )
    _check_parts(spec)
    _check_policies(spec, found)
    return spec


def _policy_method(found: Declaration, config: Mapping[str, Any]) -> MethodSpec | None:
    """POLICY, the method that trains members which are policies, with the settings it shares."""
    name = found.constants.get("POLICY")
    if name is None:
        return None
    known = {one.name for one in declaration("methods", str(name)).parameters}
    made = method(str(name), {key: value for key, value in config.items() if key in known})
    if made.family != "pairs":
        raise UserError(
            f"{found.source}: POLICY = {name!r} is a method of the family {made.family}; members "
            "that are policies are trained by a method of the family pairs."
        )
    return made


def _check_policies(spec: ProxySystemSpec, found: Declaration) -> None:
    """What goes with members that are policies."""
    if ("score" in found.functions) != (spec.policy is not None):
        raise UserError(
            f'{spec.source}: score(config, reading) and POLICY, such as POLICY = "dpo", go '
            "together; declare both or neither."
        )
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
    if spec.inputs and not (spec.own_head and spec.own_loss and spec.start == "policy"):
        raise UserError(
            f"{spec.source}: INPUTS are for a loss of a model that keeps its language head; "
            'define loss and make_head, and declare START = "policy".'
        )
    if spec.labels and not spec.own_loss:
        raise UserError(f"{spec.source}: LABELS are for a loss; define loss(config, batch).")
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
    if GOLD_COLUMNS.intersection(spec.labels) and spec.uses_gold != "training":
        raise UserError(
            f"{spec.source}: {' and '.join(sorted(GOLD_COLUMNS))} in LABELS tell more of gold than "
            'a comparison does; declare USES_GOLD = "training".'
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
