"""Cells trained in a stack against the same cells trained alone by the native engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from overopt.engines.contract import RunInputs
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.pair_data import PairsRow
from overopt.engines.pairs import optimize_pairs
from overopt.engines.stacked.model import StackedPolicy, stack
from overopt.engines.stacked.pairs import optimize_stack
from overopt.engines.stacked.stack import Outcome
from overopt.engines.walk.trajectory import Trajectory
from overopt.errors import UserError
from overopt.methods.contract.pairs import PairsMethod
from overopt.methods.pairs import dpo, dr_dpo, ipo
from overopt.models.starts.scratch import build_policy
from overopt.spec.training import ArchitectureSpec

from . import tiny

WIDTH = 3
BUDGETS = (0.05, 0.3)
SETTINGS = tiny.PAIRS.model_copy(update={"learning_rate": 1e-3, "max_steps": 60})


def cell(seed: int, budgets: tuple[float, ...] = BUDGETS) -> RunInputs:
    """A cell with an order, and preference data, of its own."""
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference, budgets, seed)
    assert inputs.preferences is not None
    own = np.random.default_rng(seed).integers(inputs.preferences.rows(), size=48)
    return replace(inputs, preferences=inputs.preferences.take(own))


def opened(method: PairsMethod = dpo) -> OpenedPairs:
    return OpenedPairs(method, dpo.Config(beta=0.1) if method is dpo else method.Config())


def run(
    seeds: Sequence[int], method: PairsMethod = dpo, kept: Path | None = None, width: int = WIDTH
) -> list[Outcome]:
    return optimize_stack(opened(method), SETTINGS, [cell(s) for s in seeds], width, kept=kept)


def assert_same_bits(one: Trajectory, other: Trajectory) -> None:
    assert one.rows == other.rows and one.compute == other.compute
    assert len(one.snapshots) == len(other.snapshots) > 0
    for mine, theirs in zip(one.snapshots, other.snapshots, strict=True):
        assert (mine.step, mine.kl_nats) == (theirs.step, theirs.kl_nats)
        assert all(torch.equal(mine.state[name], theirs.state[name]) for name in theirs.state)


@pytest.mark.parametrize("method", [dpo, ipo, dr_dpo])
def test_a_stack_does_what_the_native_engine_does(method: PairsMethod) -> None:
    """Within 2e-3 of every loss and log-ratio, and 1 % of every KL."""
    for seed, found in zip((0, 1), run([0, 1], method), strict=True):
        native, mine = optimize_pairs(opened(method), SETTINGS, cell(seed)), found.trajectory
        assert found.error is None and mine.unreached_nats == native.unreached_nats
        assert [one.step for one in mine.snapshots] == [one.step for one in native.snapshots]
        assert [one.budgets_nats for one in mine.snapshots] == [
            one.budgets_nats for one in native.snapshots
        ]
        for ours, theirs in zip(mine.snapshots, native.snapshots, strict=True):
            assert ours.kl_nats == pytest.approx(theirs.kl_nats, rel=1e-2)
        assert mine.compute == native.compute
        for row, other in zip(mine.rows, native.rows, strict=True):
            assert isinstance(row, PairsRow) and isinstance(other, PairsRow)
            assert (row.kl_nats is None) == (other.kl_nats is None)
            # before the first step all log-ratios are 0 but for rounding, which accuracy shows
            assert (row.kl_nats or 0.0) == pytest.approx(other.kl_nats or 0.0, rel=1e-2)
            assert row.step == 1 or row.accuracy == pytest.approx(other.accuracy, abs=0.07)
            one, two = (
                each._replace(kl_nats=other.kl_nats or 0.0, accuracy=0.0)._asdict()
                for each in (row, other)
            )
            assert one == pytest.approx(two, rel=1e-2, abs=2e-3)


def test_the_bits_of_a_cell_do_not_depend_on_its_neighbors() -> None:
    alone, together, others = run([4]), run([4, 1, 2]), run([4, 7])
    assert_same_bits(alone[0].trajectory, together[0].trajectory)
    assert_same_bits(alone[0].trajectory, others[0].trajectory)
    assert together[0].trajectory.rows != together[1].trajectory.rows


def test_a_killed_stack_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    whole = optimize_stack(opened(), SETTINGS, [cell(0, ()), cell(1, ())], WIDTH)

    def die(done: float, told: str) -> None:
        if told.startswith("step 53,"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize_stack(
            opened(), SETTINGS, [cell(0, ()), cell(1, ())], WIDTH, kept=tmp_path, progress=die
        )
    seen: list[str] = []
    again = optimize_stack(
        opened(),
        SETTINGS,
        [cell(0, ()), cell(1, ())],
        WIDTH,
        kept=tmp_path,
        progress=lambda _, told: seen.append(told),
    )
    assert len(seen) == SETTINGS.max_steps - 50
    for one, other in zip(whole, again, strict=True):
        assert_same_bits(one.trajectory, other.trajectory)


def test_a_cell_that_breaks_leaves_the_others_alone() -> None:
    rates = [1e-3, float("nan"), 1e-3]
    cells = [cell(0), cell(1), cell(2)]
    found = optimize_stack(opened(), SETTINGS, cells, WIDTH, rates=rates)
    assert found[1].error == "the KL estimate after step 1 is nan"
    for place in (0, 2):
        assert found[place].error is None
        assert_same_bits(found[place].trajectory, run([0, 3, 2])[place].trajectory)


def test_a_method_that_asks_for_more_is_refused() -> None:
    class Asking:
        __name__ = "asking"
        Config, loss = dpo.Config, staticmethod(dpo.loss)
        INPUTS = ("forward_kl",)

    method = OpenedPairs(Asking(), dpo.Config())
    with pytest.raises(UserError, match="give --engine native"):
        optimize_stack(method, SETTINGS, [cell(0)], WIDTH)


def test_stacked_logits_are_those_of_each_policy() -> None:
    shape = ArchitectureSpec(layers=3, width=16, heads=4)
    models = [build_policy(shape, 9, 12, seed).eval() for seed in range(3)]
    ids_CRL = torch.randint(0, 9, (3, 5, 7), generator=torch.Generator().manual_seed(0))
    weights = stack([dict(model.named_parameters()) for model in models])
    found = StackedPolicy(models[0]).read(weights, ids_CRL).logits_CRLV
    for place, model in enumerate(models):
        expected = model(input_ids=ids_CRL[place]).logits
        torch.testing.assert_close(found[place], expected, rtol=1e-5, atol=1e-5)
