"""Which cells a run has."""

from __future__ import annotations

from overopt.run.cells import cells_of, resize

from .specs import run_spec


def test_cells_are_the_product_of_all_axes_in_order() -> None:
    run = run_spec(["dpo", "bon"], ["single", "mean"], ["0", "bt:1"], [0, 2], [8, 16], [32, 64])
    cells = cells_of(run)
    assert len(cells) == 2**6
    assert cells[0].title == "dpo single noise 0 world 0 seed 0"
    assert cells[-1].title == "bon mean noise bt:1 world 0 seed 2"
    last = cells[-1].task.proxy
    assert (last.width, last.comparisons) == (16, 64)


def test_resizing_changes_the_proxy_only() -> None:
    task = run_spec().task
    other = resize(task, "scratch", 16, 32)
    assert other.proxy.width == 16 and other.proxy.comparisons == 32
    assert other.model_copy(update={"proxy": task.proxy}) == task


def test_starts_are_an_axis_and_widths_belong_to_scratch_only() -> None:
    run = run_spec(widths=[8, 16], starts=["scratch", "policy"], comparisons=[32, 64])
    cells = [cell.task for cell in cells_of(run)]
    sizes = [(task.proxy.start, task.proxy_width, task.proxy.comparisons) for task in cells]
    assert sizes == [
        ("scratch", 8, 32), ("scratch", 8, 64), ("scratch", 16, 32), ("scratch", 16, 64),
        ("policy", 8, 32), ("policy", 8, 64),
    ]  # fmt: skip
