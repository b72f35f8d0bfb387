"""The command line around the runs: versions, JSON, templates, stored runs, completion."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import overopt
from overopt import __main__ as cli
from overopt.catalog import lookup, systems, toml_files
from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.commands.shell.completion import offer
from overopt.commands.shell.new import new
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError

Screen = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVEROPT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: Screen) -> Any:
    """Runs a command in this process; its exit code and what it printed."""

    def call(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *line.split()])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        told = capsys.readouterr()
        return int(stop.value.code or 0), told.out, told.err

    return call


def strict(text: str) -> Any:
    """JSON without NaN and infinities."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_version_and_short_help(bench: Any) -> None:
    assert bench("--version") == (0, f"overopt {overopt.__version__}\n", "")
    for command in ("", "run ", "store ", "store gc ", "cite "):
        code, told, _ = bench(f"{command}-h")
        assert code == 0 and "Usage: bench" in told


KEYS = {
    "list methods --json": {"name", "family", "knob", "uses_gold", "needs", "summary", "from"},
    "list proxies --json": {"name", "members", "uses_gold", "needs", "summary", "from"},
    "list tasks --json": {"name", "world", "gold", "kl_grid_nats", "summary", "from"},
    "list gold --json": {"name", "gold", "summary", "from"},
}


@pytest.mark.parametrize("line", KEYS)
def test_lists_as_json_have_fixed_keys(line: str, bench: Any) -> None:
    code, told, _ = bench(line)
    found = strict(told)
    assert code == 0
    assert list(found) == ["format", "kind", "rows", "broken"]
    assert found["format"] == 1 and found["kind"] == line.split()[1]
    assert [row["name"] for row in found["rows"]] == lookup.names(found["kind"])
    for row in found["rows"]:
        assert set(row) == KEYS[line]


SHOWN = {
    "dpo": {
        *("format", "kind", "name", "family", "knob", "uses_gold", "needs", "summary"),
        *("docstring", "reads", "checked", "papers", "settings", "from", "file"),
    },
    "UWO": {
        *("format", "kind", "name", "members", "uses_gold", "needs", "summary"),
        *("docstring", "reads", "checked", "papers", "settings", "from", "file"),
    },
    "tabular": {"format", "kind", "name", "summary", "values", "file"},
    "rule": {"format", "kind", "name", "summary", "values", "file"},
}


@pytest.mark.parametrize("name", SHOWN)
def test_show_as_json_has_fixed_keys(name: str, bench: Any) -> None:
    code, told, _ = bench(f"show {name} --json")
    found = strict(told)
    assert code == 0
    assert set(found) == SHOWN[name]
    assert found["name"] == name.lower()
    assert Path(found["file"]).is_file()


def test_plan_as_json_counts_what_the_plan_counts(bench: Any) -> None:
    code, told, _ = bench("plan -m dpo --task tabular --seeds 2 --workers 3 --json")
    found = strict(told)
    assert code == 0
    assert set(found) == {
        *("format", "kind", "task", "methods", "proxies", "worlds", "seeds", "kl_grid_nats"),
        *("cells", "more_runs_follow", "workers", "store", "stages", "wall_s", "memory_bytes"),
        *("accelerator_bytes", "disk_bytes", "free_bytes", "sources"),
    }
    assert (found["cells"], found["workers"], found["seeds"]) == (2, 3, [0, 1])
    new_by_stage = {one["stage"]: one["new"] for one in found["stages"]}
    assert new_by_stage["initial"] == 1 and new_by_stage["optimize"] == 2
    assert set(found["stages"][0]) == {
        *("stage", "cached", "new", "accelerated", "measured", "wall_s", "memory_bytes"),
        "disk_bytes",
    }


def test_a_list_has_one_line_for_each_and_is_filtered(bench: Any) -> None:
    _, told, _ = bench("list methods")
    lines = told.splitlines()
    assert max(map(len, lines)) <= 80
    for name in lookup.names("methods"):
        assert sum(line.split()[:1] == [name] for line in lines) == 1, name

    def named(line: str) -> list[str]:
        return [row["name"] for row in strict(bench(f"{line} --json")[1])["rows"]]

    assert named("list --family merge") == ["dera", "warp"]
    assert "hedgetune" in named("list --uses-gold selection")
    assert named("list --family pairs --needs forward_kl reference_states") == ["mapo", "sparsepo"]
    assert named("list proxies --uses-gold steps") == ["prm"]
    for line, words in {
        "list --family pear": "Unknown family 'pear'",
        "list tasks --family pairs": "--family is for methods",
        "list --uses-gold much": "Unknown use of gold 'much'",
        "list --needs forward": "Unknown need 'forward'. Did you mean forward_kl or ",
        "list gold --needs proxy": "are for methods and proxies, not for gold",
    }.items():
        code, _, error = bench(line)
        assert code == 2 and words in error


@pytest.mark.parametrize("kind", ["method", "proxy"])
def test_a_new_file_passes_the_rehearsal(kind: str, capsys: Screen) -> None:
    assert new(kind, "my-own", None) == 0
    told = capsys.readouterr().out
    assert told.startswith("my-own.py\n")
    spec = (systems.method if kind == "method" else systems.proxy)("my-own.py")
    rehearse(spec)
    words = re.findall(r"^run it:  bench run (.*)$", told, re.MULTILINE)[0].split()
    assert words[-3:] == ["--task", "tabular", "--kl-grid"]
    method = "my-own.py" if kind == "method" else "bon"
    proxy = ["my-own.py"] if kind == "proxy" else []
    assert resolve(Request(method=[method], proxy=proxy, task="tabular")).task.name == "tabular"
    with pytest.raises(UserError, match=r"my-own\.py exists"):
        new(kind, "my-own", None)


def test_a_new_task_is_complete_and_a_copy_is_a_copy() -> None:
    new("task", "mine", None)
    task = toml_files.load_task("mine.toml")
    shipped = toml_files.load_task("tabular")
    assert task.name == "mine" and task.world == shipped.world
    assert "copy of tabular" in task.summary
    new("task", "words", "Reviews")
    assert toml_files.load_task("words.toml").world.kind == "reviews"
    new("method", "my_dpo", "DPO")
    assert Path("my_dpo.py").read_bytes() == lookup.files("methods")["dpo"].read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("methd", "x", None), "Unknown kind 'methd'. Did you mean method?"),
        (("method", "a b", None), "a name is made of letters"),
        (("method", "DPO", None), "DPO is the name of a shipped method"),
        (("method", "x", "dop"), "Unknown method 'dop'"),
    ],
)
def test_what_cannot_be_new(words: tuple[str, str, str | None], told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        new(*words)


def test_all_missing_keys_of_a_task_are_named_at_once(bench: Any) -> None:
    text = (lookup.data_folder("tasks") / "tabular.toml").read_text(encoding="utf-8")
    for line in ("max_steps = 200\n", "batch_size = 64\n"):
        assert line in text
        text = text.replace(line, "")
    Path("my.toml").write_text(text, encoding="utf-8")
    code, _, error = bench("plan -m dpo --task my.toml")
    assert code == 2
    lacking = ["proxy.training.batch_size", "pairs.batch_size", "pairs.max_steps"]
    listed = ", ".join(f"'{key}'" for key in lacking)
    assert f"my.toml: the keys {listed} and 'rollout.max_steps' are missing; add them." in error


# A stored run -------------------------------------------------------------------------------------

RECORD: dict[str, Any] = {"spec": {}, "own_files": {}, "arguments": []}


def store_run(request: Request, folder: Path, **more: Any) -> Path:
    """What a run folder says of a run."""
    folder.mkdir(exist_ok=True)
    spec = resolve(request).to_json()
    for several in ("methods", "proxies"):
        for one in spec[several]:
            one["source"] = Path(one["source"]).name if "/" in one["source"] else one["source"]
    path = folder / "run.json"
    path.write_text(json.dumps({**RECORD, "spec": spec, **more}))
    return path


def test_a_stored_run_is_asked_for_again_as_it_was() -> None:
    asked = Request(
        method=["dpo", "bon"],
        proxy=["uwo"],
        task="tabular",
        settings=["dpo.beta=0.3", "uwo.members=3", "pairs.max_steps=50"],
        noise=["0.25"],
        seed=[4, 7],
        worlds=2,
        kl_grid=["0.5", "1"],
        along="knob",
    )
    path = store_run(asked, Path("run"))
    assert resolve(Request(stored=path)) == resolve(asked)
    assert resolve(Request(stored=path.parent)) == resolve(asked)


def test_a_committed_run_is_read() -> None:
    """Results of this version are repeated; those of others say which key they lack."""
    for path in sorted((lookup.PACKAGE.parents[1] / "results").rglob("run.json")):
        try:
            spec = resolve(Request(stored=path))
        except UserError as error:
            assert "The run is of another version" in str(error)
        else:
            assert spec.to_json() == json.loads(path.read_text())["spec"]


def test_own_files_of_a_stored_run_must_be_there_unchanged() -> None:
    import hashlib

    new("method", "mine", None)
    own = Path("mine.py")
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    path = store_run(
        Request(method=["mine.py"], task="tabular"), Path("run"), own_files={"mine.py": digest}
    )
    assert resolve(Request(stored=path)).methods[0].source == str(own.resolve())
    text = own.read_text()
    own.write_text(text.replace("0.1,", "0.2,"))
    with pytest.raises(UserError, match=r"mine\.py has changed since the run"):
        resolve(Request(stored=path))
    own.unlink()
    with pytest.raises(UserError, match=r"used mine\.py, a file of its own, which is neither"):
        resolve(Request(stored=path))
    Path("below").mkdir()
    Path("below/mine.py").write_text(text)
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "arguments": ["bench", "run", "-m", "below/mine.py"]}))
    assert resolve(Request(stored=path)).methods[0].source.endswith("below/mine.py")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is no record of a run"),
        ('{"spec": {"task": 1}}', "The run is of another version; check out its commit"),
    ],
)
def test_what_is_no_record_is_refused(text: str, told: str) -> None:
    Path("run.json").write_text(text)
    with pytest.raises(UserError, match=told):
        resolve(Request(stored=Path("run.json")))


def test_a_stored_run_takes_no_other_options(bench: Any) -> None:
    code, _, error = bench("plan --from run.json --method dpo")
    assert code == 2 and "leave out the other options" in error
    code, _, error = bench("plan --from nowhere/run.json")
    assert code == 2 and "it cannot be read (No such file or directory)" in error


# The TAB key --------------------------------------------------------------------------------------

OFFERED = {
    ("sho",): ["show"],
    ("store", ""): ["gc", "ls", "path", "rm"],
    ("run", "--method", "bon", "mapo"): ["mapo"],
    ("run", "--method", "bon,dpo-s"): ["bon,dpo-sft"],
    ("run", "-m", "family:m"): ["family:merge"],
    ("run", "--proxy", "uw"): ["uwo"],
    ("run", "--task", "tab"): ["tabular"],
    ("run", "--along", ""): ["step", "knob"],
    ("run", "--method", "dpo", "--set", "dpo."): ["dpo.beta="],
    ("list", "--family", "mer"): ["merge"],
    ("show", "warp"): ["warp"],
    ("run", "--kl-g"): ["--kl-grid"],
    ("store", "rm", "--y"): ["--yes"],
    ("nothing", ""): [],
}


@pytest.mark.parametrize("words", OFFERED)
def test_the_tab_key_offers(words: tuple[str, ...]) -> None:
    commands = vars(get_command(cli.app))["commands"]
    assert offer(words, commands) == OFFERED[words]


def test_completion_asks_the_command_itself(bench: Any) -> None:
    code, told, _ = bench("--offer list ta")
    assert (code, told) == (0, "tasks\n")
    for shell in ("bash", "zsh", "fish"):
        code, told, _ = bench(f"completion {shell}")
        assert code == 0 and "--offer" in told
    assert bench("completion csh")[0] == 2
