import itertools
import math

import pytest
import torch
from torch import nn

from overopt.engines.kl_walk import KLWalk
from overopt.engines.trajectory import Compute, Snapshot


def model(value: float) -> nn.Linear:
    """A model whose one weight says which step it was copied at."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


def observe(walk: KLWalk, step: int, kl_nats: float) -> None:
    walk.observe(step, kl_nats, Compute(step, 2 * step, 3 * step), model(float(step)))


def budgets(walk: KLWalk) -> dict[int, tuple[float, ...]]:
    return {snapshot.step: snapshot.budgets_nats for snapshot in walk.snapshots}


def test_a_budget_gets_the_nearest_policy_on_either_side() -> None:
    walk = KLWalk([4.0, 9.0], max_steps=10)
    # in sqrt(KL): 1.9, 2.6 around 2 (the one before is nearer), then 3.1 just above 3
    for step, d in ((1, 1.9), (2, 2.6), (3, 3.1)):
        observe(walk, step, d * d)
    assert budgets(walk) == {1: (4.0,), 3: (9.0,)}
    assert walk.finished
    assert walk.unreached_nats == ()


def test_one_policy_serves_every_budget_that_it_jumps_over() -> None:
    walk = KLWalk([1.0, 2.0, 50.0], max_steps=10)
    observe(walk, 1, 3.0)
    assert budgets(walk) == {1: (1.0, 2.0)}
    assert not walk.finished
    assert walk.unreached_nats == (50.0,)


def test_early_policies_are_kept_below_the_first_budget() -> None:
    walk = KLWalk([16.0], max_steps=100)
    for step in range(1, 41):
        observe(walk, step, (step / 10) ** 2)
    # a quarter, a half and three quarters of sqrt(16) = 4
    assert budgets(walk) == {10: (), 20: (), 30: (), 40: (16.0,)}


def test_snapshots_hold_their_own_weights_and_what_was_spent() -> None:
    walk = KLWalk([16.0], max_steps=100)
    layer = model(1.0)
    walk.observe(1, 16.0, Compute(1, 2, 3), layer)
    nn.init.constant_(layer.weight, 9.0)
    (snapshot,) = walk.snapshots
    assert isinstance(snapshot, Snapshot)
    assert snapshot.state["weight"].tolist() == [[1.0]]
    assert snapshot.compute == Compute(gradient_steps=1, samples_drawn=2, tokens_processed=3)


def test_a_crossing_counts_once_however_kl_moves_afterwards() -> None:
    walk = KLWalk([1.0, 100.0], max_steps=10)
    for step, kl_nats in ((1, 1.1), (2, 0.4), (3, 1.0)):
        observe(walk, step, kl_nats)
    assert budgets(walk) == {1: (1.0,)}


def test_the_start_is_never_kept_and_the_end_always_is() -> None:
    walk = KLWalk([1e-6, 4.0], max_steps=2)
    observe(walk, 0, 0.0)
    observe(walk, 1, 1.0)
    observe(walk, 2, 2.0)
    assert budgets(walk) == {1: (1e-6,), 2: ()}
    assert walk.unreached_nats == (4.0,)


def test_without_budgets_only_the_final_policy_is_wanted() -> None:
    walk = KLWalk([], max_steps=50)
    due = [step for step in range(1, 51) if walk.due(step)]
    assert due == [50]
    observe(walk, 50, 2.5)
    assert [(snapshot.step, snapshot.kl_nats) for snapshot in walk.snapshots] == [(50, 2.5)]
    assert not walk.finished


def test_measurements_are_few_and_hit_each_budget_closely() -> None:
    grid_nats = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    walk = KLWalk(grid_nats, max_steps=2000)
    checks = 0
    for step in range(1, 2001):
        if walk.due(step):
            observe(walk, step, (0.01 * step) ** 2)
            checks += 1
        if walk.finished:
            break
    assert walk.finished
    reached = {b: s.kl_nats for s in walk.snapshots for b in s.budgets_nats}
    assert list(reached) == grid_nats
    for budget, kl_nats in reached.items():
        assert abs(math.sqrt(kl_nats) - math.sqrt(budget)) <= 0.0051
    assert checks < 50  # of 448 steps
    assert all(walk.snapshots[0].step <= snapshot.step for snapshot in walk.snapshots)


def test_every_step_is_measured_at_first() -> None:
    walk = KLWalk([100.0], max_steps=2000)
    due = []
    for step in range(1, 13):
        if walk.due(step):
            due.append(step)
            observe(walk, step, 1e-6 * step)
    assert due == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12]


def test_a_policy_that_stands_still_is_still_measured() -> None:
    walk = KLWalk([1.0], max_steps=1000)
    due = []
    for step in range(1, 1001):
        if walk.due(step):
            due.append(step)
            observe(walk, step, 0.5)
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert max(gaps) <= 250
    assert due[-1] == 1000


@pytest.mark.parametrize("grid_nats", [[0.0, 1.0], [2.0, 1.0], [1.0, 1.0], [-1.0]])
def test_budgets_must_rise_from_above_zero(grid_nats: list[float]) -> None:
    with pytest.raises(ValueError, match="positive and rising"):
        KLWalk(grid_nats, max_steps=10)


def test_a_kl_that_is_no_number_is_an_error() -> None:
    walk = KLWalk([1.0], max_steps=10)
    with pytest.raises(FloatingPointError, match="after step 3 is nan"):
        walk.observe(3, math.nan, Compute(0, 0, 0), model(0.0))


def test_fraction_done_is_the_further_of_steps_and_distance() -> None:
    walk = KLWalk([4.0, 16.0], max_steps=100)
    observe(walk, 10, 4.0)
    assert walk.fraction(10) == pytest.approx(0.5)
    assert walk.fraction(90) == pytest.approx(0.9)
    assert torch.equal(walk.snapshots[-1].state["weight"], torch.tensor([[10.0]]))
