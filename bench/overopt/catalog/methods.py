"""Methods resolved from their files, every setting given and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

from pydantic import ValidationError

from overopt.catalog.declarations import Declaration, require_functions, unknown
from overopt.catalog.gold_use import gold_use
from overopt.catalog.lookup import declaration
from overopt.catalog.proxy_use import is_blind
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.spec.declare import (
    ANY_ENGINE,
    COUNTED,
    INPUT_FAMILIES,
    NATIVE_FUNCTIONS,
    NEEDS,
    OPPONENTS,
    TRAINING_FAMILIES,
    Family,
    Knob,
    MethodInput,
)
from overopt.spec.explanations import explain
from overopt.spec.method import MethodSpec

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
_CRITIC = {"critic_loss": "config, critic", "follow": "config", **_COMPOSED}
_MERGED = {"merge": "config, initial, trained, knob"}
_ITERATED = {"draw_back": "config, initial, merged, knob"}
_POOL = {"samples_used": "config, pool_samples, knob"}
_POLICY = {"weights": "config, pool, knob"}
_DRAWS = {"draw_size": "config, knob", "draw_weights": "config, draws, knob"}
"""A method that reweights a pool supplies one of these two, or both."""


_SEARCH = {"priority": "config, children", "preference": "config, value_RL, knob"}
_NOVELTY = {
    "make_predictor": "config, shape",
    "prediction_error": "config, predicted_RD, target_RD",
}


_BEGIN = {"begin": "config, initial"}
_HOOKS = {
    "after_step": "config, memory, weights, step",
    "after_round": "config, memory, weights, number",
    "before_steps": "config, memory, weights, number",
    "observe": "config, memory, rollout",
    "observe_gold": "config, memory, gold_BN",
    "observe_pairs": "config, memory, batch",
}
"""What needs a memory, with which ``begin`` has to come."""


_GRADIENTS = {"perturb": "config, gradient", "correct": "config, first, second"}


OPTIONAL: dict[str, dict[str, str]] = {
    "compose": _COMPOSED,
    "potential": {"potential": "config, grown, knob"},
    **dict.fromkeys(_SEARCH, _SEARCH),
    "value_targets": _VALUES,
    "value_loss": _VALUES,
    "critic_loss": _CRITIC,
    "follow": _CRITIC,
    "weights": _POLICY,
    "draw_size": _DRAWS,
    "draw_weights": _DRAWS,
    "unbiased_weights": {"unbiased_weights": "config, pool, knob", **_POLICY},
    "tune": {"tune": "config, pool, gold_BN", **_POLICY},
    **dict.fromkeys(_NOVELTY, _NOVELTY),
    "kl_bound_nats": {"kl_bound_nats": "config, knob"},
    "mixture": {"mixture": "config"},
    "temperature": {"temperature": "config, memory"},
    "first_anchor": {"first_anchor": "config, initial, second"},
    **dict.fromkeys(_GRADIENTS, _GRADIENTS),
    "begin": _BEGIN,
    **{name: {**_BEGIN, name: written} for name, written in _HOOKS.items()},
}
"""What a method that defines an optional function has to define with it."""


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
    uses_gold = gold_use(found)
    _check_inputs(constants, found.source)
    _check_opponents(constants.get("INPUTS", ()), found.functions, found.source)
    _check_second(constants.get("INPUTS", ()), found.functions, found.source)
    _check_hooks(constants["FAMILY"], found.functions, found.source)
    if ("novelty" in constants.get("INPUTS", ())) != ("make_predictor" in found.functions):
        raise UserError(
            f"{found.source}: novelty in INPUTS and the function make_predictor(config, shape) go "
            "together."
        )
    knob = _knob(constants["KNOB"], found.source)
    config = found.resolve(given or {})
    _check_counts(constants.get("INPUTS", ()), config, found.source)
    member = _member(constants, config, found.source)
    composes = constants["FAMILY"] in ("selection", "merge") and "compose" in found.functions
    walks = "priority" in found.functions
    searches = constants["FAMILY"] == "selection" and walks
    learns = not {"value_loss", "critic_loss"}.isdisjoint(found.functions)
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
        native_only=(
            *(name for name in constants.get("INPUTS", ()) if name not in ANY_ENGINE),
            *_native_functions(found, config),
        ),
        needs=tuple(name for name in NEEDS if name in constants.get("INPUTS", ())),
        member=member,
        merging=tuple(name for name in constants.get("MERGING", ()) if name in config),
        composes=composes,
        filters=constants["FAMILY"] == "selection" and "potential" in found.functions,
        searches=searches,
        values=(composes or searches) and learns,
        blind=is_blind(found),
    )
    for family in spec.families:
        require_functions(found, FUNCTIONS[family], f"a method of the family {family}")
    if {"value_loss", "critic_loss"} <= set(found.functions):
        raise UserError(
            f"{found.source}: value_loss and critic_loss are two ways to learn values; define one."
        )
    if spec.observes_gold and spec.uses_gold == "none":
        raise UserError(
            f"{found.source}: observe_gold is handed gold, so that the file has to say so; declare "
            'USES_GOLD = "selection" or "training", or rename the function.'
        )
    if "tune" in found.functions and spec.uses_gold != "selection":
        raise UserError(
            f"{found.source}: tune is handed gold, so that the file has to say so; declare "
            'USES_GOLD = "selection", or rename the function.'
        )
    if ("searched_samples" in spec.needs) != (spec.family == "iterative" and walks):
        raise UserError(
            f"{found.source}: of a method of the family iterative, searched_samples in INPUTS and "
            "the function priority(config, children) go together."
        )
    if "searched_samples" in spec.needs:
        _check_growth(config, found.source, "priority", ("rollouts", "branch", "steps"))
    if spec.filters:
        _check_growth(config, found.source, "potential", ("particles", "steps"))
    if spec.searches:
        _check_growth(config, found.source, "priority", ("rollouts", "branch", "steps"))
        if "critic_loss" in found.functions:
            raise UserError(
                f"{found.source}: a search reads values of prefixes; define value_targets and "
                "value_loss instead of critic_loss."
            )
    if not (spec.composes or spec.filters or spec.searches):
        _require_the_plain(found, spec.family)
    if spec.iterations > 1:
        require_functions(found, _ITERATED, "a method of several iterations")
    for name, complete in OPTIONAL.items():
        if name in found.functions:
            if name == "priority" and "searched_samples" in spec.needs:  # it draws no answer
                continue
            if spec.searches:  # its values are read as it grows
                complete = {each: complete[each] for each in complete if each != "compose"}
            require_functions(found, complete, f"a method that defines {name}")
    return spec


def _native_functions(found: Declaration, config: Mapping[str, object]) -> list[str]:
    """Functions that only the native engine calls, at these settings.

    Raises:
        UserError: OBSERVES_FOR names no field of Config, or there is no function observe.
    """
    named = [name for name in NATIVE_FUNCTIONS if name in found.functions]
    asking = found.constants.get("OBSERVES_FOR")
    if asking is None:
        return named
    fields = [parameter.name for parameter in found.parameters]
    for field in asking:
        if field not in fields:
            raise UserError(f"{found.source}: OBSERVES_FOR: {unknown('field', field, fields)}")
    require_functions(found, {"observe": _HOOKS["observe"]}, "a method with OBSERVES_FOR")
    silent = not any(config.get(field) for field in asking)
    return [name for name in named if not (silent and name == "observe")]


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


def _check_growth(
    config: Mapping[str, Any], source: str, function: str, names: tuple[str, ...]
) -> None:
    """What grows answers says how many, in how many steps."""
    for name in names:
        if not _is_count(config.get(name)):
            raise UserError(
                f"{source}: a method that defines {function} has a whole number from 1 as the "
                f"field {name} of its Config, `{name}: int = param(4, help=..., at_least=1)`."
            )


def _check_counts(asked: tuple[MethodInput, ...], config: Mapping[str, Any], source: str) -> None:
    """A method says how many it wants of what can be any number."""
    for name in asked:
        field = COUNTED.get(name)
        if field is not None and not _is_count(config.get(field)):
            raise UserError(
                f"{source}: a method with {name} in INPUTS has a whole number from 1 as the field "
                f"{field} of its Config, `{field}: int = param(4, help=..., at_least=1)`."
            )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


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
    unheard = [name for name in (*hooks, "temperature") if name in functions]
    if family == "pairs" and set(unheard) - {"after_step", "observe_pairs"}:
        raise UserError(
            f"{source}: a method of the family pairs draws no samples, so that after_round, "
            "before_steps, observe and temperature would never be called; use after_step or "
            "observe_pairs."
        )
    if family != "iterative" and "before_steps" in functions:
        raise UserError(
            f"{source}: a method of the family {family} takes its steps from the policy that drew "
            "the samples, so that before_steps would never be called; it is for iterative."
        )
    if family != "pairs" and "observe_pairs" in functions:
        raise UserError(
            f"{source}: a method of the family {family} is given no pairs of the preference data, "
            "so that observe_pairs would never be called; use observe."
        )
