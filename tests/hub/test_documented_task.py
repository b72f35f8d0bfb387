"""The task that the documentation shows, on tiny folders of its names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from overopt.catalog import lookup
from overopt.catalog.toml_files import load_task

from . import folders
from .test_run import bench

SMALLER = (
    "world.train_prompts=24 world.heldout_prompts=4 "
    "proxy.comparisons=16 proxy.calibration_samples=16 pairs.max_steps=3 pairs.warmup_steps=1 "
    "evaluation.samples_per_prompt=2 evaluation.pool_samples_per_prompt=4"
)
"""What a real run has more of; the test would take minutes."""


def test_the_documented_task_plans_as_written_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "CONTEXT", 512)  # the task's prompts and responses fit
    text = (lookup.PACKAGE / "docs" / "models.md").read_text(encoding="utf-8")
    (task,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "my-task.toml").write_text(task, encoding="utf-8")
    folders.write_folder(tmp_path / "my-model", "qwen2", template=folders.CHAT)
    folders.write_folder(
        tmp_path / "my-reward-model", "qwen2", classifier=True, template=folders.CHAT
    )
    prompts = [{"instruction": f"{row.prompt} ({i})"} for i in range(20) for row in folders.rows()]
    written = "\n".join(map(json.dumps, prompts[:1100]))
    (tmp_path / "prompts.jsonl").write_text(written, encoding="utf-8")
    assert load_task(str(tmp_path / "my-task.toml")).world.train_prompts == 1000

    commands = re.findall(r"^bench ((?:plan|run) .*my-task\.toml.*)$", text, re.MULTILINE)
    plan, run = commands
    assert "these are estimates, nothing was run" in bench(tmp_path, f"{plan} --engine native")
    small = f"--engine native --seeds 1 --workers 1 --quiet --set {SMALLER}"
    bench(tmp_path, f"{run.replace('--kl-grid', '--kl-grid 0.001')} {small}")
    records = [json.loads(path.read_text()) for path in tmp_path.glob("results/*/*/*/run.json")]
    assert {record["spec"]["methods"][0]["name"] for record in records} == {"dpo", "bon"}
    assert {record["status"] for record in records} == {"ok"}
