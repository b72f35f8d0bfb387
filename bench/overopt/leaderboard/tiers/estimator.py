"""How the KL of a method's policies is known, which decides what its points are checked by."""

from __future__ import annotations

from overopt.spec.method import MethodSpec
from overopt.spec.run import RunSpec


def own_estimator(method: MethodSpec) -> str:
    """How KL of a method's policies is known where responses are not listed.

    ``rb`` along samples of a policy that says how likely they are; ``smc`` of one that resamples or
    searches; ``pool`` of one that reweights the initial policy's.
    """
    if method.filters or method.searches:
        return "smc"
    return "pool" if method.family == "selection" and not method.composes else "rb"


def estimators_of(spec: RunSpec) -> tuple[str, ...]:
    """What ``kl_estimator`` may be: which checks a point has follows from the method, not from it.

    Exact KL needs every response, and is not computed of policies that resample or search.
    """
    own = own_estimator(spec.methods[0])
    return (own, "exact") if spec.task.world.lists_responses and own != "smc" else (own,)
