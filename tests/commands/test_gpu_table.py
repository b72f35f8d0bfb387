"""The table of what an accelerator gains: how it is told, and that a failure is told as one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from overopt.catalog.systems import method
from overopt.catalog.toml_files import load_task
from overopt.commands.accelerated import variants
from overopt.commands.accelerated.stacks import StackRow, measure_stacks
from overopt.commands.accelerated.table import stack_head, stack_line, variant_table, write
from overopt.commands.accelerated.variants import VariantRow, run_variants
from overopt.errors import UserError

TINY = Path(__file__).parents[1] / "end_to_end" / "tiny.toml"


def test_rows_say_what_is_not_known_and_why_a_run_failed() -> None:
    rows = [
        VariantRow("mine", "bf16", 61.0, 75.4, 3 << 30, None, None),
        VariantRow("mine", "vllm", None, 2.0, None, 1 << 29, "no module | vllm"),
    ]
    *_, first, second = variant_table(rows).splitlines()
    assert first == "| mine | bf16 | 61 | 75 | 3.00 | – | ok |"
    assert second == "| mine | vllm | – | 2 | – | 0.50 | failed: no module / vllm |"
    line = stack_line(StackRow("rloo", 8, 0.04, 0.005, 64.0, 1 << 30))
    assert line == "| rloo | 8 | 40.0 | 5.0 | 64.00 | 1.00 |\n"
    *_, names, rule = stack_head("reviews", "cuda").splitlines()
    assert names.count("|") == rule.count("|") == line.count("|") and "on cuda" in names


def test_stacks_of_every_method_are_measured_against_one_core() -> None:
    methods = [method(name) for name in ("dpo", "ppo")]
    found = list(measure_stacks(load_task(str(TINY)), methods, [1, 2], 2, "cpu"))
    assert [(row.method, row.width) for row in found] == [
        (name, width) for name in ("dpo", "ppo") for width in (1, 2)
    ]
    for row in found:
        assert row.native_s > 0 and row.peak_bytes is None
        assert row.ratio == pytest.approx(row.width * row.native_s / row.step_s)


def test_a_run_that_fails_is_a_row_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "fails"
    program.write_text("#!/bin/sh\necho first >&2\necho 'error: no such thing' >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    (row,) = run_variants(["mine"], ["dpo"], ["lora"], 20)
    assert row.error == "error: no such thing" and row.planned_s is None
    assert row.host_bytes is None


def test_wrong_names_are_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no variant 'fp8'; give some of: float32, bf16"):
        run_variants(["mine"], ["dpo"], ["fp8"], 20)
    with pytest.raises(UserError, match="at least one place"):
        write(tmp_path / "t.md", str(TINY), [method("dpo")], [0], 1, [], ["dpo"], [], 1)
    with pytest.raises(UserError, match="elastic-reset has the function after_step"):
        write(tmp_path / "t.md", str(TINY), [method("elastic-reset")], [1], 1, [], [], [], 1)
    assert variants.VARIANTS["float32"] == ()
