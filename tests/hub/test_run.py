"""From a task file and folders to points and a report, for several architectures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.execution.contract import silent
from overopt.execution.messages import Built
from overopt.execution.node import Node, ancestry
from overopt.execution.store import Store
from overopt.execution.worker import build, order
from overopt.run.cells import cells_of
from overopt.run.forecasts.hub import estimator, machine_of, needs
from overopt.run.forecasts.source_need import download_gb
from overopt.run.graph import Graph
from overopt.run.pursuit import foreseen
from overopt.run.sources import prepare

from . import folders

CHAT_JUDGE = '[classifier]\npath = "gold"\nformat = "chat"\n'


def bench(place: Path, line: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "overopt", *line.split()],
        cwd=place,
        env={**os.environ, "OVEROPT_STORE": str(place / "store")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_local_folder_to_report_without_code(tmp_path: Path) -> None:
    """A Llama folder with its own tokenizer, after SFT, judged by a Qwen2 classifier."""
    folders.write_folder(tmp_path / "policy", "llama")
    folders.write_folder(tmp_path / "gold", "qwen2", classifier=True, template=folders.CHAT)
    folders.write_table(tmp_path / "rows.parquet")
    folders.write_task(tmp_path, gold="classifier", examples=24, tables=CHAT_JUDGE)
    told = bench(tmp_path, "plan --task ./mine.toml --method dpo --kl-grid --seeds 1")
    assert "about" in told and "of memory" in told and "made by" in told
    assert "GPU" not in told, "such small models stay on the CPU"
    bench(tmp_path, "run --task ./mine.toml --method dpo --kl-grid --seeds 1 --workers 1 --quiet")
    (record,) = tmp_path.glob("results/mine/dpo/*/run.json")
    run = json.loads(record.read_text())
    assert run["status"] == "ok"
    hub = run["spec"]["task"]["world"]["hub"]
    assert len(hub["policy"]["digest"]) == 64 and hub["policy"]["license"] == "made by the test"
    bench(tmp_path, "report results --out report")
    (page,) = tmp_path.glob("report/*.html")
    assert "mine" in page.read_text()


class Case(NamedTuple):
    """A policy's family, where its proxies start, and what else the task says."""

    family: str
    method: str
    task: dict[str, Any]
    proxy: str = ""


CASES = {
    "gpt2 policy, proxies from it, rule gold": Case("gpt2", "rloo", {}),
    "llama policy, proxies of another family that read text": Case(
        "llama", "rloo", {}, '[proxy.base]\npath = "base"\nformat = "{prompt}\\n{response}"\n'
    ),
    "qwen2 policy in its chat template, the data's own pairs and labels": Case(
        "qwen2", "dpo", {"form": '"chat"', "hub": 'pairs = "data"\nlabels = "data"'}
    ),
    "gpt_neox policy, proxies from scratch, a classifier as gold": Case(
        "gpt_neox",
        "bon",
        {"gold": "classifier", "tables": CHAT_JUDGE, "data": "rows.jsonl"},
        "[proxy.architecture]\nlayers = 1\nwidth = 8\nheads = 2\n",
    ),
}


def build_all(nodes: list[Node], store: Store) -> None:
    """Every stage in this process, in the order of the data flow."""
    for made in ancestry(nodes):
        event = build(order(made, store.root), silent)
        assert isinstance(event, Built), f"{made.title}: {event}"


@pytest.mark.parametrize("name", CASES)
def test_every_stage_of(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    folders.write_folder(tmp_path / "policy", case.family, template=folders.CHAT)
    folders.write_folder(tmp_path / "base", "qwen2")
    folders.write_folder(tmp_path / "gold", "llama", classifier=True, template=folders.CHAT)
    folders.write_table(tmp_path / case.task.get("data", "rows.parquet"))
    path = folders.write_task(tmp_path, **case.task)
    text = path.read_text()
    if case.proxy:
        path.write_text(text.replace("[proxy.training]", f"{case.proxy}[proxy.training]"))
    run = resolve(Request(method=[case.method], task=str(path), seeds=1))
    prepare(run)
    store = Store(tmp_path / "store")
    store.prepare()
    (cell,) = cells_of(run)
    points, *_ = foreseen(Graph(cell), run)
    build_all([points, Graph(cell).front(run.kl_grid_nats)], store)
    folder = store.open(points.key)
    assert folder is not None
    rows = json.loads((folder / "points.json").read_text())
    measured = [row for row in rows if row["status"] == "ok" and row.get("step", 1)]
    assert measured and all(row["kl_nats"] > 0 for row in measured)
    shown = json.loads((folder / "excerpts.json").read_text())
    assert shown and all(one["prompt"].strip() for one in shown)
    needed = needs(run, offline=True)
    assert all(one.state == "here" and not one.note for one in needed)
    assert download_gb(needed) == 0
    costed = [estimator(machine_of(needed, None))(made) for made in ancestry([points])]
    assert all(one.wall_s is not None and one.disk_bytes is not None for one in costed)


def test_keys_follow_the_content_of_folders(tmp_path: Path) -> None:
    folders.write_folder(tmp_path / "policy", "gpt2")
    folders.write_table(tmp_path / "rows.parquet")
    path = folders.write_task(tmp_path)

    def keys() -> tuple[str, str]:
        run = resolve(Request(method=["bon"], task=str(path), seeds=1))
        graph = Graph(cells_of(run)[0])
        return graph.initial.key, graph.pool.key

    first = keys()
    assert keys() == first
    (tmp_path / "policy/added.txt").write_text("note")
    assert all(new != old for new, old in zip(keys(), first, strict=True))


@pytest.mark.parametrize("task", ["tldr", "alpacafarm", "hh", "ultrafeedback"])
def test_shipped_tasks_are_pinned_and_licensed(task: str) -> None:
    run = resolve(Request(method=["dpo"], task=task, seeds=1))
    needed = needs(run, offline=True)
    assert all(len(one.revision) == 40 and one.license and not one.note for one in needed)
    assert all(one.parameters is not None for one in needed if one.is_model)
    assert all(one.size_gb is not None for one in needed if one.is_model)
