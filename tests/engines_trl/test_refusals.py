"""What only the native engine serves is refused in a sentence that says what to do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.trl.training import check_options
from overopt.errors import UserError
from overopt.methods.pairs import dpo, kto, srpo
from overopt.methods.rollout import bond, constrained_mu, gradreg, nash_md, rloo, salsa
from overopt.spec.trl import TrlSpec


@pytest.mark.parametrize(
    ("method", "needs"),
    [
        (kto, "mismatched"),
        (srpo, "revisions"),
        (bond, "opponents_now"),
        (nash_md, "mixture"),
        (constrained_mu, "member_rewards"),
        (gradreg, "perturb"),
        (salsa, "second_initial"),
    ],
)
def test_what_this_engine_does_not_serve_is_named(method: ModuleType, needs: str) -> None:
    kind: Any = OpenedPairs if method in (kto, srpo) else OpenedRollout
    with pytest.raises(UserError, match=f"needs {needs}.*say --engine native"):
        check_options(kind(method, method.Config()), TrlSpec())


@pytest.mark.parametrize("method", [dpo, rloo])
def test_what_it_serves_is_let_through(method: ModuleType) -> None:
    kind: Any = OpenedPairs if method is dpo else OpenedRollout
    check_options(kind(method, method.Config()), TrlSpec())
