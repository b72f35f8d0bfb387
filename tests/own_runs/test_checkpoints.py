"""Checkpoints that TRL's own trainers wrote, measured; and runs of our own, measured again."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import overopt
from hub import folders
from overopt.__main__ import main
from overopt.artifacts.tables import Table
from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.commands.stored_run import stored_run
from overopt.errors import UserError
from overopt.execution.executors.local import InlineExecutor
from overopt.execution.scheduler import execute
from overopt.execution.store import Store
from overopt.own_runs.checkpoint_plan import plan
from overopt.own_runs.checkpoint_request import CheckpointRequest
from overopt.own_runs.checkpoints import measure_checkpoints
from overopt.own_runs.folder import write_folder
from overopt.own_runs.measured import MeasuredRuns
from overopt.report.groups import group_results
from overopt.report.stored.prompts import read_prompts
from overopt.report.stored.reading import read_results
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.worlds.contract import build

from .training import PROMPTS, dpo, lines, minus_length, online, watch, write_policy

GOLD = "def gold(prompts, responses):\n    return [-float(len(text)) for text in responses]\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy, a proxy, prompts, a gold, and DPO's checkpoints with the callback's log of them."""
    root = tmp_path_factory.mktemp("place")
    write_policy(root / "policy")
    folders.write_folder(root / "proxy", "llama", classifier=True)
    (root / "prompts.jsonl").write_text(
        "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS)
    )
    (root / "gold.py").write_text(GOLD)
    watching = watch(str(root / "proxy"), gold=minus_length)
    dpo(root / "policy", root / "run", watching, save_strategy="steps", save_steps=2).train()
    return root


def request(place: Path, **more: Any) -> CheckpointRequest:
    given = {
        "policies": (str(place / "run"),),
        "reference": str(place / "policy"),
        "proxy": str(place / "proxy"),
        "gold": str(place / "gold.py"),
        "prompts": place / "prompts.jsonl",
        "samples": 2,
        "max_new_tokens": 6,
    }
    if "policy" in more:
        more["policies"] = (more.pop("policy"),)
    return CheckpointRequest(**{**given, **more})


def measure(asked: CheckpointRequest, store: Store) -> MeasuredRuns:
    return measure_checkpoints(asked, plan(asked), store, InlineExecutor(store))


def test_dpo_checkpoints_say_what_the_callback_saw(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    measured = measure(request(place), Store(tmp_path / "store"))
    written = write_folder(out, measured)
    seen = lines(place / "run" / "overopt.jsonl")
    assert [one["step"] for one in measured.measures] == [0, 2, 4]
    for ours, theirs in zip(measured.measures, seen, strict=True):
        for name in set(theirs) - {"proxy_sd", "gold_sd"}:
            assert ours[name] == theirs[name], name
    assert measured.measures[1]["kl_nats"] > 0.01
    assert measured.report.turn is not None and measured.report.turn.over == "prompts"
    assert measured.report.units.gold_sd == seen[0]["gold_sd"]
    with (out / "checkpoints.csv").open(newline="") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["0", "2", "4"]
    assert {path.name for path in written} >= {"curve.csv", "fits.json", "measured.pdf"}


def test_a_killed_command_continues_and_an_optimizer_state_is_no_part(
    place: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(place / "run", run)
    asked, store = request(place, policy=str(run)), Store(tmp_path / "store")
    first = plan(asked).nodes

    class Killed(InlineExecutor):
        def submit(self, made: Any) -> None:
            if "checkpoint 4" in made.label:
                raise KeyboardInterrupt
            super().submit(made)

    with pytest.raises(KeyboardInterrupt, match="kept"):
        measure_checkpoints(asked, plan(asked), store, Killed(store))
    kept = [one for one in first if store.open(one.key) is not None]
    assert {one.label for one in kept} == {"reference", "checkpoint 2"}
    (run / "checkpoint-2" / "optimizer.pt").unlink()
    assert [one.key for one in plan(asked).nodes] == [one.key for one in first]
    assert measure(asked, store).measures[1]["step"] == 2
    (run / "checkpoint-2" / "generation_config.json").write_text("{}")
    assert plan(asked).nodes[1].key != first[1].key


def test_rloo_checkpoints_and_its_own_log(place: Path, tmp_path: Path) -> None:
    online(
        "rloo", place / "policy", tmp_path / "run", save_strategy="steps", save_steps=2, beta=0.1
    ).train()
    measured = measure(
        request(place, policy=str(tmp_path / "run"), gold=None), Store(tmp_path / "store")
    )
    assert measured.measures[2]["kl_nats"] > 0 and measured.verdict.startswith("There is no gold")
    with pytest.raises(UserError, match="too noisy"):  # k1 of four samples at a time
        overopt.measure(tmp_path / "run")


def test_a_log_that_grpo_wrote(place: Path, tmp_path: Path) -> None:
    online(
        "grpo", place / "policy", tmp_path / "run", save_strategy="steps", save_steps=2, beta=0.1
    ).train()
    log = overopt.measure(tmp_path / "run", kl_estimator="k3/token")
    assert (log.kl.name, log.kl.unit, log.proxy) == ("kl", "nats per response", "reward")
    assert log.report.runs[0].step_K.tolist() == [1, 2, 3, 4]
    assert log.report.runs[0].kl_K[-1] > 0
    assert set(log.advised_steps) == {2, 4}  # what was saved


def test_adapters_are_merged(place: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, target_modules=["c_attn"], task_type="CAUSAL_LM")
    watching = watch(gold=minus_length)
    out = tmp_path / "run"
    dpo(
        place / "policy",
        out,
        watching,
        peft_config=config,
        save_strategy="steps",
        save_steps=4,
        learning_rate=0.1,
    ).train()
    measured = measure(request(place, policy=str(out)), Store(tmp_path / "store"))
    seen = lines(out / "overopt.jsonl")[-1]
    assert measured.measures[1]["kl_nats"] == pytest.approx(seen["kl_nats"], rel=1e-3)
    assert seen["kl_nats"] > 1e-4
    adapter = out / "checkpoint-4" / "adapter_config.json"
    adapter.write_text(json.dumps({**json.loads(adapter.read_text()), "peft_type": "IA3"}))
    with pytest.raises(UserError, match="adapters of kind IA3"):
        measure(request(place, policy=str(out)), Store(tmp_path / "store"))


def test_snapshots_of_our_own_run_are_measured_as_it_measured_them(tmp_path: Path) -> None:
    task = Path(__file__).parents[1] / "end_to_end" / "tiny.toml"
    (cell,) = cells_of(resolve(Request(task=str(task), method=["dpo"], seeds=1)))
    graph, store = Graph(cell), Store(tmp_path / "store")
    points = graph.along_step((0.02, 0.1))

    def once() -> Any:
        yield [points]

    execute([once()], store, InlineExecutor(store))
    evaluated = dict(points.inputs)["evaluate.0"]
    made = dict(evaluated.inputs)
    optimized, initial = store.open(made["optimize"].key), store.open(made["initial"].key)
    assert optimized is not None and initial is not None
    record = json.loads((optimized / "optimize.json").read_text())
    for snapshot in record["snapshots"]:
        target = tmp_path / "run" / f"checkpoint-{snapshot['step']}"
        shutil.copytree(optimized / snapshot["folder"], target)
    world = build(cell.task.world)
    words = np.array(world.vocabulary, object)
    prompts = world.heldout_prompts
    texts = [
        " ".join(words[ids_T[:length]])
        for ids_T, length in zip(prompts.ids_NT, prompts.length_N, strict=True)
    ]
    (tmp_path / "prompts.txt").write_text("\n".join(texts))
    (tmp_path / "gold.py").write_text("def gold(p, r):\n    return [float(len(x)) for x in r]\n")
    asked = CheckpointRequest(
        policies=(str(tmp_path / "run"),),
        reference=str(initial / "model"),
        proxy=str(tmp_path / "gold.py"),
        gold=None,
        prompts=tmp_path / "prompts.txt",
        samples=int(evaluated.params["samples_per_prompt"]),
        max_new_tokens=world.response_tokens_max,
        seed=int(evaluated.params["seed"]),
    )
    measured = measure(asked, Store(tmp_path / "own"))
    folder = store.open(points.key)
    assert folder is not None
    ours = pd.DataFrame(measured.measures).set_index("step")
    told = json.loads((folder / "points.json").read_text())
    theirs = pd.DataFrame([one for one in told if one["status"] == "ok"]).set_index("step")
    both = sorted(set(ours.index) & set(theirs.index) - {0})
    assert len(both) == len(record["snapshots"]) >= 2
    for name, other in (
        ("kl_nats", "kl_rb_nats"),
        ("kl_k1_nats", "kl_k1_nats"),
        ("kl_k2_nats", "kl_k2_nats"),
        ("kl_k3_nats", "kl_k3_nats"),
        ("entropy_nats", "entropy_nats"),
        ("length_mean", "length_mean"),
    ):
        np.testing.assert_allclose(ours.loc[both, name], theirs.loc[both, other], rtol=2e-5)
    # Where every response is listed, the exact KL lies within the error of the estimate.
    exact = theirs.loc[both, "kl_exact_nats"]
    error = 4.0 * ours.loc[both, "kl_se_nats"] + 1e-4
    assert (np.abs(ours.loc[both, "kl_nats"] - exact) < error).all()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"policy": "nowhere"}, "there is no such folder"),
        ({"policy": "."}, "neither a checkpoint-* folder nor a model"),
        ({"reference": "some/model@main"}, "its revision is no commit"),
        ({"proxy": "policy"}, "sequence classifier"),
        ({"proxy": "none.py"}, "there is no such file"),
        ({"prompts": "none.txt"}, "none.txt"),
        ({"prompts": "twice.txt"}, "occurs twice"),
        ({"prompts": "empty.txt"}, "0 prompts"),
        ({"max_new_tokens": 90}, "context"),
        ({"samples": 0}, "--samples 0"),
        ({"template": "no place"}, "{prompt}"),
        ({"reward_template": "{prompt}"}, "{response}"),
        ({"dtype": "int8"}, "float32, bfloat16"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    place: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], says: str
) -> None:
    monkeypatch.chdir(place)
    (place / "twice.txt").write_text("one\none\n")
    (place / "empty.txt").write_text("\n")
    if "prompts" in changed:
        changed = {"prompts": Path(changed["prompts"])}
    with pytest.raises(UserError) as caught:
        plan(request(place, **changed))
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_gold_of_ones_own_may_use_a_world(place: Path, tmp_path: Path) -> None:
    """Worlds are loaded by name; the file's digest is the key, and no node names them."""
    asks = "from overopt.execution.code.modules import load"
    body = 'return [float(load("worlds.tabular", "world") is not None)] * len(responses)'
    (tmp_path / "gold.py").write_text(
        f"{asks}\n\nKIND = load('worlds.reviews', 'world')\n\n\n"
        f"def gold(prompts, responses):\n    {body}\n"
    )
    found = measure(request(place, gold=str(tmp_path / "gold.py")), Store(tmp_path / "store"))
    assert found


def test_a_gold_that_returns_nonsense_is_the_users_mistake(place: Path, tmp_path: Path) -> None:
    (tmp_path / "gold.py").write_text("def gold(prompts, responses):\n    return [1.0]\n")
    with pytest.raises(UserError, match="returned 1 numbers for 12"):
        measure(request(place, gold=str(tmp_path / "gold.py")), Store(tmp_path / "store"))
    (tmp_path / "gold.py").write_text("x = 1\n")
    with pytest.raises(UserError, match="has no function gold"):
        measure(request(place, gold=str(tmp_path / "gold.py")), Store(tmp_path / "store"))


def test_the_command(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    words = "--policy run --reference policy --proxy proxy --gold gold.py --prompts prompts.jsonl"
    words += f" --samples 2 --max-new-tokens 6 --store {tmp_path / 'store'} --workers 1"
    monkeypatch.setattr(sys, "argv", ["bench", "measure", *words.split()])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    said = capsys.readouterr().out
    assert "KL by each estimator" in said and "2 checkpoints, 6 prompts, 2 samples each" in said
    for more, says in ((["log.csv"], "not both"), (["--policy", "run"], "needs --reference")):
        monkeypatch.setattr(sys, "argv", ["bench", "measure", "--policy", "run", *more])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2
        assert says in capsys.readouterr().err
    assert Table(next((tmp_path / "store").rglob("samples.parquet"))).columns[0] == "prompt_id"


def test_measured_seeds_are_a_run_that_can_be_reported_and_compared(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (0, 1):
        shutil.copytree(place / "run", tmp_path / f"run{number}")
    monkeypatch.chdir(place)
    both = f"--policy {tmp_path / 'run0'} --policy {tmp_path / 'run1'}"
    rest = "--reference policy --proxy proxy --gold gold.py --prompts prompts.jsonl --samples 2"
    rest += f" --max-new-tokens 6 --store {tmp_path / 'store'} --workers 1"

    def bench(words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["bench", *words.split()])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        assert not stopped.value.code, captured.err
        return captured.out

    out = tmp_path / "measured" / "both"
    said = bench(f"measure {both} {rest} --out {out}")
    assert "4 checkpoints of 2 runs" in said
    assert said.splitlines()[-1] == f"bench report {out}"
    turn = json.loads((out / "fits.json").read_text())["turn"]
    assert (turn["interval_over"], turn["choices"]) == ("runs and prompts", 4)
    record = json.loads((out / "run.json").read_text())
    measured = record["spec"]["measured"]
    assert measured["made_here"] is False
    assert [list(one["steps"]) for one in measured["checkpoints"]] == [["2", "4"]] * 2
    assert measured["checkpoints"][0]["steps"]["2"]["digest"]
    assert len(measured["gold"]["sha256"]) == len(measured["prompts"]["sha256"]) == 64
    (run,) = read_results([out]).runs
    points = run.points
    assert set(points["method"]) == {"run"} and set(points["engine"]) == {"measured"}
    assert points["seed"].tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    with pytest.raises(UserError, match="not trained here"):
        stored_run(Request(stored=out))
    with (out / "checkpoints.csv").open(newline="") as stream:
        raw = list(csv.DictReader(stream))
    sd = measured["units"]["gold_sd"]
    for point, one in zip(points.to_dict("records"), raw, strict=True):
        assert point["gold_raw_mean"] == float(one["gold"])
        assert point["gold_mean"] == pytest.approx(
            (float(one["gold"]) - float(raw[0]["gold"])) / sd
        )
        assert point["kl_nats"] == pytest.approx(float(one["kl_nats"]), abs=1e-12)
    # seeds share the initial policy's samples, and have samples of their own beyond it
    assert raw[0]["gold"] == raw[3]["gold"] and raw[1]["kl_k1_nats"] != raw[4]["kl_k1_nats"]
    by_step = points.groupby("step")["kl_nats"].mean()
    assert points["kl_target_nats"].dropna().tolist() == pytest.approx(by_step[[2, 4, 2, 4]])
    prompts = read_prompts(out, points)
    assert prompts is not None and prompts[1].mean() == pytest.approx(
        points["gold_mean"][1], abs=1e-6
    )
    (group,) = group_results(read_results([out]))
    assert group.places.end is not None and group.places.end.gold.n_seeds == 2
    page = bench(f"report {out} --out {tmp_path / 'report'} --figures none --workers 1")
    assert page.endswith(f"Open {tmp_path / 'report' / 'report.html'}\n")
    text = (tmp_path / "report" / "report.html").read_text()
    assert "measured here, made elsewhere" in text
    # another training from the same reference, judged by the same gold on the same prompts
    other = tmp_path / "measured" / "other"
    shutil.copytree(place / "run", tmp_path / "other")
    (tmp_path / "other" / "checkpoint-2" / "generation_config.json").write_text('{"top_k": 50}')
    more = f"--policy {tmp_path / 'other'} --policy {tmp_path / 'run0'} {rest} --out {other}"
    bench(f"measure {more}")
    told = bench(f"compare {out} {other} --metric end")
    assert "run" in told and "other" in told


def test_the_same_checkpoints_twice_are_no_two_seeds(place: Path) -> None:
    run = str(place / "run")
    with pytest.raises(UserError, match="is given twice"):
        plan(replace(request(place), policies=(run, f"{run}/")))


def test_without_gold_there_is_no_run_to_report(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    out = tmp_path / "out"
    words = "--policy run --reference policy --proxy proxy --prompts prompts.jsonl --samples 2"
    words += f" --max-new-tokens 6 --store {tmp_path / 'store'} --workers 1 --out {out}"
    monkeypatch.setattr(sys, "argv", ["bench", "measure", *words.split()])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    assert capsys.readouterr().out.splitlines()[-1] == f"Open {out / 'measured.png'}"
    assert not (out / "run.json").exists() and (out / "checkpoints.csv").is_file()
