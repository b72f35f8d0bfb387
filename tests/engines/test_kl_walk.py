import itertools
import math
from collections.abc import Mapping

import pytest
import torch
from torch import nn

from overopt.engines.walk import kl_walk
from overopt.engines.walk.kl_walk import KLWalk
from overopt.engines.walk.trajectory import Compute, Snapshot


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


def bisecting(budgets_nats: list[float], d_of_step: dict[int, float]) -> tuple[KLWalk, list[int]]:
    """A walk that can measure the steps between, and the steps that it has measured so."""
    asked: list[int] = []

    def measure(state: Mapping[str, torch.Tensor]) -> float:
        asked.append(int(state["weight"].item()))
        return d_of_step[asked[-1]] ** 2

    return KLWalk(budgets_nats, max_steps=100, measure=measure), asked


def pass_by(walk: KLWalk, *steps: int) -> None:
    for step in steps:
        walk.pass_by(step, Compute(step, 2 * step, 3 * step), model(float(step)))


def test_a_budget_between_two_measurements_is_bisected() -> None:
    d_of_step = {step: 1.0 + (step - 1) ** 2 / 40 for step in range(1, 11)}
    walk, asked = bisecting([4.0], d_of_step)
    observe(walk, 1, 1.0)
    pass_by(walk, *range(2, 10))
    observe(walk, 10, d_of_step[10] ** 2)
    # sqrt(KL) wanted is 2. Ends (1, 1) and (10, 3.025): the line meets 2 at step 5.4, so 5 (1.4);
    # then (5, 1.4) and (10, 3.025) meet it at 6.8, so 7 (1.9); then 7 and 10 at 7.27, where only
    # steps above 7 are left: 8 (2.225). None is within 3 %: the nearest, 7, is kept.
    assert asked == [5, 7, 8]
    (snapshot,) = [one for one in walk.snapshots if one.budgets_nats]
    assert snapshot.kl_nats == pytest.approx(1.9**2)
    assert snapshot.compute == Compute(7, 14, 21)


def test_a_measurement_close_to_a_budget_is_not_improved_on() -> None:
    walk, asked = bisecting([4.0], {})
    observe(walk, 1, 1.0)
    pass_by(walk, 2, 3)
    observe(walk, 4, 2.05**2)  # 2.5 % too far
    assert asked == []
    assert budgets(walk) == {1: (), 4: (4.0,)}


def test_steps_are_bisected_even_before_the_first_measurement() -> None:
    walk, asked = bisecting([4.0], {1: 0.5, 2: 1.0, 3: 2.01})
    pass_by(walk, 1, 2, 3)
    observe(walk, 4, 36.0)
    # the line to (4, 6) meets 2 at 1.3 from the start, at 1.8 from (1, 0.5), at 2.4 from (2, 1)
    assert asked == [1, 2, 3]
    assert budgets(walk)[3] == (4.0,)


def test_memory_bounds_the_steps_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kl_walk, "BETWEEN_BYTES", 4 * 3)  # three weights of four bytes
    walk, _ = bisecting([4.0], {})
    pass_by(walk, 1, 2, 3, 4, 5)
    assert [one.step for one in walk.memory.between] == [2, 4, 5]
    monkeypatch.setattr(kl_walk, "BETWEEN_BYTES", 3)  # a model larger than all of it
    walk, _ = bisecting([4.0], {})
    pass_by(walk, 1, 2)
    assert walk.memory.between == ()


def test_a_walk_that_goes_on_elsewhere_bisects_what_it_passed_before() -> None:
    d_of_step = {2: 1.5, 3: 2.0, 4: 2.5}
    first, _ = bisecting([4.0], d_of_step)
    observe(first, 1, 1.0)
    pass_by(first, 2, 3)
    second, asked = bisecting([4.0], d_of_step)
    second.recall(first.memory)
    pass_by(second, 4)
    observe(second, 5, 9.0)
    assert asked == [3]
    assert budgets(second)[3] == (4.0,)


def test_nothing_is_kept_between_for_a_walk_without_budgets() -> None:
    walk = KLWalk([], max_steps=5, measure=lambda _: 0.0)
    pass_by(walk, 1, 2)
    assert walk.memory.between == ()
