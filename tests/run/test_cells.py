"""Which cells a run has."""

from __future__ import annotations

import pytest

from overopt.run.cells import cells_of, resize, tell_blind

from .specs import run_spec


def test_cells_are_the_product_of_all_axes_in_order() -> None:
    run = run_spec(["rloo", "bon"], ["single", "mean"], ["0", "bt:1"], [0, 2], [8, 16], [32, 64])
    cells = cells_of(run)
    assert len(cells) == 2**6
    assert cells[0].title == "rloo single noise 0 world 0 seed 0"
    assert cells[-1].title == "bon mean noise bt:1 world 0 seed 2"
    last = cells[-1].task.proxy
    assert (last.width, last.comparisons) == (16, 64)


def test_resizing_changes_the_proxy_only() -> None:
    task = run_spec().task
    other = resize(task, "scratch", 16, 32)
    assert other.proxy.width == 16 and other.proxy.comparisons == 32
    assert other.model_copy(update={"proxy": task.proxy}) == task


def test_starts_are_an_axis_and_widths_belong_to_scratch_only() -> None:
    run = run_spec(["rloo"], widths=[8, 16], starts=["scratch", "policy"], comparisons=[32, 64])
    cells = [cell.task for cell in cells_of(run)]
    sizes = [(task.proxy.start, task.proxy_width, task.proxy.comparisons) for task in cells]
    assert sizes == [
        ("scratch", 8, 32), ("scratch", 8, 64), ("scratch", 16, 32), ("scratch", 16, 64),
        ("policy", 8, 32), ("policy", 8, 64),
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["dpo", "ipo", "spin"])
def test_a_method_that_does_not_see_the_proxy_has_the_cells_of_one(method: str) -> None:
    axes = (["single", "mean"], ["0", "0.25"], [0, 1], [4, 8], [32, 64])
    run = run_spec([method, "bon"], *axes, starts=["scratch", "policy"], worlds=(0, 1))
    cells = cells_of(run)
    blind = [cell for cell in cells if cell.method.name == method]
    assert len(blind) == 2 * 2 * 2 * 2  # worlds, noises, comparisons, seeds
    assert {cell.proxy.name for cell in blind} == {"single"}
    assert {cell.task.proxy_width for cell in blind} == {4}
    assert len(cells) - len(blind) == 16 * 2 * 3  # and systems; widths 4 and 8, and the policy's
    told = tell_blind(run)
    assert told.startswith(f"{method} does not see the proxy: it runs once per world")
    assert "(single)" in told


def test_nothing_is_told_where_nothing_is_left_out() -> None:
    assert tell_blind(run_spec(["dpo"])) == ""
    assert tell_blind(run_spec(["bon", "rloo"], ["single", "mean"])) == ""
    told = tell_blind(run_spec(["dpo", "bon", "ipo"], widths=(4, 8)))
    assert told.startswith("dpo, ipo do not see the proxy: each runs once")
