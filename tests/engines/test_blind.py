"""Which methods that learn from fresh samples look at what the proxy says of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from overopt.catalog import lookup, systems
from overopt.engines.iterative import optimize
from overopt.worlds.tokens import Tokens

from . import tiny
from .test_rows import texts

ITERATIVE = [name for name in lookup.names("methods") if systems.method(name).family == "iterative"]
SETTINGS = tiny.ROLLOUT.model_copy(update={"max_steps": 6}).model_dump()


@pytest.mark.parametrize("name", ITERATIVE)
def test_opposite_rewards_make_one_policy_of_methods_that_do_not_see_the_proxy(name: str) -> None:
    """Scores around 0, of SD 1 or so; gold, which bstar observes, is the same in both runs."""
    spec = systems.method(name)

    def taste(asked: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        return 8 * tiny.reward(asked, responses) - 0.7

    def weights(sign: int) -> torch.Tensor:
        reference = tiny.policy()
        inputs = replace(
            tiny.run_inputs(
                tiny.twin(reference), reference, taste=lambda *read: sign * taste(*read)
            ),
            demonstrations=texts(),
            gold=taste,
        )
        optimize(spec, SETTINGS, inputs)
        return torch.cat([weight.flatten() for weight in inputs.policy.state_dict().values()])

    assert torch.equal(weights(1), weights(-1)) == (not spec.sees_proxy)
