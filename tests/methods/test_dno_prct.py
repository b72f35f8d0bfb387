from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.iterative import dno_prct

from . import fresh, trl_pairs


def built(reward: list[list[float]], **config: Any) -> tuple[list[int], list[int]]:
    pairs = dno_prct.build(dno_prct.Config(**config), fresh.rollout(reward))
    return pairs.chosen_P.tolist(), pairs.rejected_P.tolist()


def test_a_pair_has_a_good_answer_and_a_clearly_worse_one() -> None:
    rewards = [[1.0, 3.0, 0.5], [0.4, 0.0, 0.1], [-1.0, -3.0, -2.0], [2.0, 2.0, 2.0]]
    assert built(rewards) == ([1], [2])
    assert built(rewards, margin=0.4) == ([1, 3], [2, 4])
    assert built(rewards, floor=-2.0) == ([1, 6], [2, 7])
    assert built(rewards, floor=5.0) == ([], [])


def test_loss_by_hand() -> None:
    """beta h = .1 (.3 + .1) = .04."""
    pair = fresh.sides((9.0, 0.3), (-9.0, -0.1))
    found = dno_prct.loss(dno_prct.Config(beta=0.1), pair).item()
    assert found == pytest.approx(0.6733, abs=5e-5)


def test_loss_is_trls_of_dpo_with_the_rounds_first_policy_as_the_reference(tmp_path: Path) -> None:
    config = dno_prct.Config(beta=0.7)

    def loss(batch: Any) -> Any:
        sides = (side._replace(sampled_logp=side.reference_logp) for side in batch[:2])
        return dno_prct.loss(config, SamplePairs(*sides))

    trl_pairs.assert_same(tmp_path, loss, ["sigmoid"], beta=0.7)
