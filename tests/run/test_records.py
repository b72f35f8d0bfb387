"""Run folders: what is written, under which name, and what happens the second time."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overopt.catalog import lookup
from overopt.errors import UserError
from overopt.execution.node import ancestry
from overopt.execution.outcomes import Failure
from overopt.execution.store import Store
from overopt.report.stored.prompts import read_prompts
from overopt.report.stored.run_folder import read_run
from overopt.run.cell import Found
from overopt.run.cells import cells_of, first_of_worlds
from overopt.run.graph import Graph
from overopt.run.records import write_runs
from overopt.run.written import folders as folders_module
from overopt.run.written.csv_text import to_csv
from overopt.run.written.folders import check_writable
from overopt.run.written.prompt_tables import seed_groups
from overopt.spec.columns import POINT_COLUMNS
from overopt.spec.flaw import FlawSpec
from overopt.spec.run import Along, RunSpec

from .finished import fail, finish, put
from .specs import run_spec

GOLD_KB = np.array([[0.0] * 4, [1.0, 1.5, 0.5, 1.0], [2.0, 2.5, 1.5, 2.0]])
BUDGETS = (None, 0.02, 0.05)


def _found(run: RunSpec, store: Store, **more: Any) -> list[Found]:
    return [finish(store, cell, BUDGETS, GOLD_KB, **more) for cell in cells_of(run)]


def _write(run: RunSpec, found: list[Found], store: Store, out: Path, **more: Any) -> list[Path]:
    known: dict[str, Any] = {
        "arguments": ["bench", "run"],
        "groups": {
            method.name: seed_groups(
                [one for one in found if one.cell.method == method], store, "step"
            )
            for method in run.methods
        },
        "fronts": {},
        "failures": [],
        "workers": 2,
        "wall_s": 1.0,
    }
    return write_runs(run, found, store, out, **{**known, **more})


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, -0.0, 12345678901234567.0])
def test_numbers_keep_every_digit(value: float) -> None:
    for number in (value, np.float64(value)):
        (row,) = csv.DictReader(io.StringIO(to_csv(("x",), [{"x": number}])))
        assert row["x"] == repr(value) and float(row["x"]) == value


def test_missing_is_empty_and_never_a_number() -> None:
    assert to_csv(("a", "b", "c"), [{"a": None, "c": 0.0}, {"a": "x"}]) == "a,b,c\n,,0.0\nx,,\n"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(FloatingPointError, match="gold_mean is"):
        to_csv(("gold_mean",), [{"gold_mean": value}])


def test_a_column_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError, match="surprise"):
        to_csv(("a",), [{"a": 1, "surprise": 2}])


def test_a_folder_per_method_and_a_row_per_point(store: Store, tmp_path: Path) -> None:
    run = run_spec(["dpo", "ipo"], seeds=(0, 1))
    folders = _write(run, _found(run, store), store, tmp_path / "out")
    assert [folder.parent.name for folder in folders] == ["dpo", "ipo"]
    for folder in folders:
        points = read_run(folder).points
        assert len(points) == 2 * 4
        assert set(points["method"]) == {folder.parent.name}
        assert list(points["status"]) == ["ok", "ok", "ok", "unreached"] * 2
        assert points["gold_mean"].dropna().tolist() == [0.0, 1.0, 2.0] * 2
        assert points["proxy_width"].eq(8).all() and points["comparisons"].eq(64).all()


def test_every_row_says_what_its_proxies_started_from(store: Store, tmp_path: Path) -> None:
    run = run_spec(["bon"], widths=(4,), starts=["scratch", "policy"])
    (folder,) = _write(run, _found(run, store), store, tmp_path / "out")
    points = read_run(folder).points
    sizes = points[["proxy_start", "proxy_width"]].drop_duplicates().to_numpy().tolist()
    assert sizes == [["scratch", 4.0], ["policy", 8.0]]
    record = json.loads((folder / "run.json").read_text())
    title = "bon single noise 0 world 0 seed 0, proxies from"
    assert sorted(record["artifacts"]) == [f"{title} policy", f"{title} scratch"]
    data = record["data"]
    assert [(row["proxy_start"], row["proxy_width"]) for row in data] == [
        ("policy", 8), ("scratch", 4),
    ]  # fmt: skip


def test_what_proxies_learned_from_is_told_of_every_system(store: Store, tmp_path: Path) -> None:
    run = run_spec(["bon"], ["single", "hybrid", "adv-rm"])
    found = _found(run, store)
    rates = {"labels": 0.25, "routed_labels": 0.125, "attacked_labels": 0.5}
    accuracies = {"single": 0.625, "hybrid": 0.75, "adv-rm": 0.875}
    for one in found:
        assert one.points is not None
        made = list(ancestry([one.points]))
        for labels in (node for node in made if node.name in rates):
            put(store, labels, {"labels.json": {"realized_flip_rate": rates[labels.name]}})
        for proxy in (node for node in made if node.name == "proxy"):
            # adv-rm's own is made after the plain ones that its adversary attacks
            told = {"heldout_accuracy": accuracies[one.cell.proxy.name], "heldout_loss_nats": 0.5}
            put(store, proxy, {"training.json": told})
    (folder,) = _write(run, found, store, tmp_path / "out")
    data = read_run(folder).record["data"]
    columns = ("proxy", "realized_flip_rate", "proxy_heldout_accuracy")
    assert [tuple(row[name] for name in columns) for row in data] == [
        ("adv-rm", 0.5, 0.875), ("hybrid", 0.125, 0.75), ("single", 0.25, 0.625),
    ]  # fmt: skip


def test_every_table_names_the_world(store: Store, tmp_path: Path) -> None:
    run = run_spec(seeds=(0, 1), worlds=(0, 4))
    excerpt = {
        "prompt": "p", "initial": "i", "hacked": "h", "gold_initial": 0.0, "gold_hacked": 1.0,
        "proxy_initial": 0.0, "proxy_hacked": 2.0, "kl_nats": 1.0,
    }  # fmt: skip
    found = _found(run, store, shown=[excerpt])
    fronts = {}
    for cell in first_of_worlds(cells_of(run)):
        made = Graph(cell).front(run.kl_grid_nats)
        gold = {0: 0.3, 4: 0.7}[cell.world]
        point = {"kl_nats": 0.1, "gold": gold, "gold_se": None, "estimator": "pool", "ess": 9.0}
        put(store, made, {"front.json": {"points": [point]}})
        fronts[cell.world] = made
    (folder,) = _write(run, found, store, tmp_path / "out", fronts=fronts)
    read = read_run(folder)
    assert read.points.groupby("world")["seed"].unique().map(list).to_dict() == {
        0: [0, 1], 4: [0, 1],
    }  # fmt: skip
    assert set(read.points["gold"]) == {"rule"}
    assert read.contrasts["world"].tolist() == [0, 4]
    assert read.contrasts["seeds"].tolist() == [2, 2]
    assert read.front[["world", "gold"]].to_numpy().tolist() == [[0, 0.3], [4, 0.7]]
    assert [(one.world, one.seed) for one in read.excerpts] == [(0, 0), (4, 0)]
    assert read.record["spec"]["worlds"] == [0, 4]
    assert read.record["spec"]["task"]["world"]["seed"] == 0
    assert [(row["world"], row["seed"]) for row in read.record["data"]] == [
        (0, 0), (0, 1), (4, 0), (4, 1),
    ]  # fmt: skip
    assert len(read.record["artifacts"]) == 4


def test_a_failed_cell_is_a_row_and_an_entry(store: Store, tmp_path: Path) -> None:
    run = run_spec(seeds=(0, 1))
    one, two = cells_of(run)
    found = [finish(store, one, BUDGETS, GOLD_KB), fail(two)]
    (folder,) = _write(run, found, store, tmp_path)
    points = read_run(folder).points
    assert points["status"].tolist()[-1] == "failed"
    assert points["seed"].tolist()[-1] == 1
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "partly failed"
    assert record["failures"] == [
        {"cell": two.title, "stage": "dpo, seed 0", "message": "loss nan"}
    ]
    assert list(record["artifacts"]) == [one.title]


def test_a_failed_front_is_an_entry(store: Store, tmp_path: Path) -> None:
    run = run_spec()
    broken = Failure("f", "front", "oracle front", "raised", "no gain", "", "f")
    (folder,) = _write(run, _found(run, store), store, tmp_path, failures=[broken])
    record = json.loads((folder / "run.json").read_text())
    assert record["failures"] == [{"cell": None, "stage": "oracle front", "message": "no gain"}]
    assert not (folder / "front.csv").exists()


def test_how_it_ran_is_no_part_of_the_name(store: Store, tmp_path: Path) -> None:
    run = run_spec()
    found = _found(run, store)
    (first,) = _write(run, found, store, tmp_path)
    before = (first / "run.json").read_bytes()
    (again,) = _write(run, found, store, tmp_path, workers=7, wall_s=99.0, arguments=["other"])
    assert again == first
    assert (first / "run.json").read_bytes() == before
    assert len(list(first.parent.iterdir())) == 1


def test_other_results_and_other_questions_have_other_names(store: Store, tmp_path: Path) -> None:
    run = run_spec()
    (first,) = _write(run, _found(run, store), store, tmp_path)
    asked = run.model_copy(update={"kl_grid_nats": (0.02, 0.05)})
    (second,) = _write(asked, _found(run, store), store, tmp_path)
    failed = [fail(cell) for cell in cells_of(run)]
    (third,) = _write(run, failed, store, tmp_path)
    assert len({first, second, third}) == 3
    other = Store(tmp_path / "other")
    other.prepare()
    (fourth,) = _write(run, _found(run, other, win_rate=0.75), other, tmp_path)
    assert fourth not in (first, second, third)


def test_a_method_that_does_not_see_the_proxy_has_one_folder_whatever_is_asked(
    store: Store, tmp_path: Path
) -> None:
    alone = run_spec(["dpo"])
    (first,) = _write(alone, _found(alone, store), store, tmp_path)
    several = run_spec(["dpo", "rloo"], ["single", "mean"], widths=(8, 16))
    again, other = _write(several, _found(several, store), store, tmp_path)
    assert again == first
    assert len(read_run(other).points) == 4 * len(read_run(first).points)
    record = json.loads((first / "run.json").read_text())
    assert [proxy["name"] for proxy in record["spec"]["proxies"]] == ["single"]


def test_a_selection_method_is_the_same_along_either_axis(store: Store, tmp_path: Path) -> None:
    folders = set()
    axes: tuple[Along, ...] = ("step", "knob")
    for along in axes:
        run = run_spec(["bon"], along=along)
        (folder,) = _write(run, _found(run, store), store, tmp_path)
        assert set(read_run(folder).points["along"]) == {"knob"}
        folders.add(folder.name)
    assert len(folders) == 1 and folders.pop().startswith("knob-")


def test_a_changed_or_half_written_folder_is_refused(store: Store, tmp_path: Path) -> None:
    run = run_spec()
    found = _found(run, store)
    (folder,) = _write(run, found, store, tmp_path)
    (folder / "excerpts.json").unlink()
    with pytest.raises(UserError, match="never overwritten, so move the folder away"):
        _write(run, found, store, tmp_path)
    (folder / "run.json").unlink()
    with pytest.raises(UserError, match="cannot be written"):
        _write(run, found, store, tmp_path)
    shutil.rmtree(folder)
    assert _write(run, found, store, tmp_path) == [folder]


def test_leftovers_of_a_killed_writer_are_cleared(store: Store, tmp_path: Path) -> None:
    run = run_spec()
    found = _found(run, store)
    (folder,) = _write(run, found, store, tmp_path)
    folder.rename(folder.with_name(f".{folder.name}-0badcafe"))
    assert _write(run, found, store, tmp_path) == [folder]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_commands_that_end_together_leave_one_folder_and_each_its_draft(
    store: Store, tmp_path: Path
) -> None:
    """Twelve at once, again and again: none deletes another's draft, and all agree."""
    run = run_spec()
    found = _found(run, store)
    for attempt in range(5):
        out = tmp_path / str(attempt)
        start = threading.Barrier(12)

        def write(out: Path = out, start: threading.Barrier = start) -> list[Path]:
            start.wait()
            return _write(run, found, store, out)

        with ThreadPoolExecutor(12) as pool:
            folders = {tuple(one.result()) for one in [pool.submit(write) for _ in range(12)]}
        ((folder,),) = folders
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_drafts_of_the_living_and_of_other_machines_are_left(store: Store, tmp_path: Path) -> None:
    run = run_spec()
    found = _found(run, store)
    (folder,) = _write(run, found, store, tmp_path)
    shutil.rmtree(folder)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    ours = folders_module._writer().partition("-")[0]
    living, gone, strange = (
        folder.with_name(f".{folder.name}-{writer}-0badcafe")
        for writer in (folders_module._writer(), f"{ours}-{dead}", f"00000000-{dead}")
    )
    for draft in (living, gone, strange):
        draft.mkdir()
    assert _write(run, found, store, tmp_path) == [folder]
    assert living.is_dir() and strange.is_dir() and not gone.exists()


def test_a_probe_does_not_follow_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / ".probe").symlink_to(precious)
    check_writable(out)
    assert precious.read_text() == "mine"
    assert list(out.iterdir()) == []


def test_own_files_are_recorded_by_name_and_hash(store: Store, tmp_path: Path) -> None:
    place = tmp_path / "mine.py"
    place.write_text(lookup.files("methods")["dpo"].read_text())
    run = run_spec([str(place)])
    (folder,) = _write(run, _found(run, store), store, tmp_path / "out")
    text = (folder / "run.json").read_text()
    assert str(tmp_path) not in text
    record = json.loads(text)
    assert record["spec"]["methods"][0]["source"] == "mine.py"
    assert list(record["own_files"]) == ["mine.py"] and len(record["own_files"]["mine.py"]) == 64


def test_a_place_that_cannot_be_written_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="give another folder with --out"):
        check_writable(tmp_path / "file" / "results")
    check_writable(tmp_path / "new" / "results")
    assert list((tmp_path / "new" / "results").iterdir()) == []


def test_gold_is_stored_by_prompt(store: Store, tmp_path: Path) -> None:
    run = run_spec(["dpo"], seeds=(0, 1, 2))
    cells = cells_of(run)
    found = [finish(store, cell, BUDGETS, cell.seed + GOLD_KB) for cell in cells]
    found[1] = fail(cells[1])
    (folder,) = _write(run, found, store, tmp_path / "out", groups={"dpo": []})
    read = read_run(folder)
    assert list(read.points["status"]) == [*["ok"] * 3, "unreached", "failed", *["ok"] * 3,
                                           "unreached"]  # fmt: skip
    gold = read_prompts(folder, read.points)
    assert gold is not None and sorted(gold) == [0, 1, 2, 5, 6, 7]
    for row, seed, k in ((1, 0, 1), (7, 2, 2)):
        assert gold[row].tolist() == (seed + GOLD_KB[k]).tolist()


def test_gold_by_prompt_has_no_part_in_the_name_of_a_run(store: Store, tmp_path: Path) -> None:
    """Results of earlier versions, which have none, keep their folders as they are."""
    run = run_spec(["dpo"], seeds=(0, 1))
    found = _found(run, store)
    (folder,) = _write(run, found, store, tmp_path / "out")
    table = (folder / "prompts.parquet").read_bytes()
    (folder / "prompts.parquet").unlink()
    assert _write(run, found, store, tmp_path / "out") == [folder]
    assert not (folder / "prompts.parquet").exists()
    # other versions of pyarrow write the same values in other bytes
    values = pq.read_table(io.BytesIO(table))
    pq.write_table(values, folder / "prompts.parquet", compression="none")
    _write(run, found, store, tmp_path / "out")
    changed = values.set_column(2, "gold", pa.array([9.0] * len(values), pa.float32()))
    pq.write_table(changed, folder / "prompts.parquet")
    with pytest.raises(UserError, match=r"prompts.parquet is not what this run wrote there"):
        _write(run, found, store, tmp_path / "out")
    (folder / "prompts.parquet").write_bytes(table[:-9])
    with pytest.raises(UserError, match=r"prompts.parquet is not what this run wrote there"):
        _write(run, found, store, tmp_path / "out")
    (again,) = _write(run, found, store, tmp_path / "other")
    assert again.name == folder.name and (again / "prompts.parquet").read_bytes() == table


def test_flawed_cells_have_columns_of_their_own_and_others_keep_theirs(
    store: Store, tmp_path: Path
) -> None:
    plain = run_spec(methods=["bon"])
    flaws = (FlawSpec.parse("length:0.5"), FlawSpec.parse("placebo:1"))
    flawed = plain.model_copy(update={"flaws": flaws})
    assert "flaws" not in plain.to_json()
    folders = []
    for run in (plain, flawed):
        (folder,) = _write(run, _found(run, store), store, tmp_path / str(len(run.flaws)))
        folders.append(folder)
    with (folders[0] / "points.csv").open() as stream:
        assert tuple(next(csv.reader(stream))) == POINT_COLUMNS
    with (folders[1] / "points.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    told = {(row["noise"], row["flaw"], row["dose"]) for row in rows}
    assert told == {
        ("0", "", ""), ("0 length:0.5", "length", "0.5"), ("0 placebo:1", "placebo", "1.0"),
    }  # fmt: skip
    assert set(read_run(folders[1]).points["noise"]) == {"0", "0 length:0.5", "0 placebo:1"}
    spec = json.loads((folders[1] / "run.json").read_text())["spec"]
    assert spec["flaws"] == [flaw.to_json() for flaw in flaws]
    assert RunSpec.model_validate_json(json.dumps(spec)).flaws == flaws
