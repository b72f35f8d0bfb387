"""The command as people meet it: help that teaches, mistakes told in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from overopt import __main__ as cli

Screen = pytest.CaptureFixture[str]


def bench(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command works in an empty folder with a store of its own, on a narrow terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVEROPT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "80")


MISTAKES = {
    "run --method dop": "Unknown method 'dop'. Did you mean dpo",
    "plan -m dpo --proxy uow": "Unknown proxy 'uow'. Did you mean uwo? Available: ",
    "plan -m dpo --task revews": "Unknown task 'revews'. Did you mean reviews or reviews-clean or ",
    "plan -m dpo --gold ruel": "Unknown gold 'ruel'. Did you mean rule? Available: ",
    "list method": "Unknown kind 'method'. Did you mean methods? Available: ",
    "show dpp": "Unknown name 'dpp'. Did you mean dpop or ppo or dpo? Available: ",
    "plan": "Which method? Give --method with one or more of: ",
    "plan -m my.py": "there is no file my.py",
    "plan -m dpo --task my.toml": "There is no file my.toml",
    "plan -m dpo dpo": "--method dpo is given twice",
    "plan -m dpo --set dpo.bta=1": "Unknown setting of dpo 'bta'. Did you mean beta?",
    "plan -m dpo --set beta=1": "which method or proxy does beta belong to? Write it as dpo.beta.",
    "plan -m dpo --set ipo.beta=1": "--set ipo.beta=1: this run has no ipo",
    "plan -m dpo --set pars.max_steps=1": "Did you mean pairs.max_steps?",
    "plan -m dpo --set pairs.max_step=1": "did you mean 'pairs.max_steps'? Allowed here: ",
    "plan -m dpo --set pairs.max_steps=many": "pairs.max_steps = 'many': should be a valid int",
    "plan -m dpo --set gold.kind=rule": "--set gold.kind: gold is a value, not a table.",
    "plan -m dpo --set dpo.beta": "write it as KEY=VALUE",
    "plan -m dpo --set name=tabular": "a task's name is what its results are known by",
    "plan -m dpo --set dpo.beta=x": "dpo: beta = 'x' is not float > 0, in 1/nats",
    "plan -m dpo --set dpo.beta=true": "dpo: beta = True is not float > 0, in 1/nats",
    "plan -m dpo --set dpo.beta=-1": "dpo: beta = -1.0 is out of bounds",
    "plan -m dpo --set dpo.beta=nan": "dpo: beta = nan is out of bounds",
    "plan -m dpo --set world.kind=review": "kind of world 'review'. Did you mean reviews?",
    "plan -m dpo --set proxy.architecture.heads=3": "heads = 3 must divide width",
    "plan -m dpo --kl-grid -1": "--kl-grid -1: a KL budget is a number of nats above 0",
    "plan -m dpo --kl-grid 0": "--kl-grid 0: a KL budget is a number of nats above 0",
    "plan -m dpo --kl-grid 1 two": "--kl-grid two: a KL budget is a number of nats above 0",
    "plan -m dpo --noise 1.5": "--noise: flip noise is a fraction between 0 and 1, not 1.5",
    "plan -m dpo --noise -0.1": "--noise: noise '-0.1' is not of the form 0.25",
    "plan -m dpo --noise fog:1": "--noise: noise 'fog:1' is not of the form 0.25",
    "plan -m dpo --noise bt:0": "--noise: bt noise needs an amount above 0",
    "plan -m dpo --noise 0.250 0.25": "--noise 0.25 is given twice",
    "plan -m dpo --seeds 0": "--seeds 0: it is a count from 1 to 1,000",
    "plan -m dpo --seeds 200000": "--seeds 200000: it is a count from 1 to 1,000",
    "plan -m dpo --worlds 1001": "--worlds 1001: it is a count from 1 to 1,000",
    "plan -m dpo --seed 4294967296": "a seed is a whole number from 0 to 2^32 - 1",
    "plan -m dpo --set world.seed=9007199254740992": "world.seed = 9007199254740992: should be",
    "plan -m dpo --seeds 1000 --worlds 1000": "1,000,000 cells are more than one run",
    "plan -m dpo --noise 0.1 0.10000000001": "--noise 0.1 is given twice",
    "plan -m dpo --proxy mean --set mean.members=1000000000": "a system combines 1 to 1000",
    "plan -m dpo --set dpo.beta=" + "[" * 3000: "is not float > 0",
    "plan -m dpo --set dpo.beta=" + "9" * 5000: "is not float > 0",
    "plan -m dpo --set \x1b[31m=1": "--set \\x1b[31m=1: there is no \\x1b[31m",
    "plan -m [/red]": "Unknown method '[/red]'",
    "plan -m dpo --seeds two": "'--seeds': Input should be a valid integer",
    "plan -m dpo --seed -1": "--seed -1: a seed is a whole number from 0",
    "plan -m dpo --seed 1 1": "--seed 1 is given twice",
    "plan -m dpo --worlds 0": "--worlds 0: it is a count from 1 to 1,000",
    "plan -m dpo --world 1 1": "--world 1 is given twice",
    "plan -m dpo --worlds 2 --set world.seed=1": "give one of them",
    "plan -m dpo --workers 0": "--workers 0: at least 1 process",
    "plan -m dpo --proxy-width 7": "--proxy-width 7: the proxies have 2 attention heads",
    "plan -m dpo --proxy-width 0": "--proxy-width 0: it must be at least 1",
    "plan -m dpo --proxy-start policy --proxy-width 16": "start from a model and have its width",
    "plan -m dpo --proxy-start polcy": "Unknown start 'polcy'. Did you mean policy?",
    "plan -m dpo --proxy-start base": "reviews has no table [proxy.base] to start from; add it",
    "plan -m dpo --proxy-start policy policy": "--proxy-start policy is given twice",
    "plan -m dpo --comparisons -5": "--comparisons -5: it must be at least 1",
    "plan -m dpo --gold transformer --proxy-width 96": "must be larger than every proxy",
    "plan -m dpo --along beat": "--along beat: choose step",
    "plan --metod dpo": "No such option: --metod",
    "pln": "No such command 'pln'. Did you mean 'plan'?",
    "report": "Missing argument 'RUN...'",
    "report nowhere": "nowhere",
    "scores": "Missing argument 'FILE'",
    "scores nowhere.csv": "nowhere.csv",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistake_is_one_sentence_and_exit_code_2(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    assert bench(line.split(), monkeypatch) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1, "one sentence, one line"
    assert MISTAKES[line] in told.err


PLACES = {
    "plan -m dpo --store a_file": "The store {}/a_file is a file",
    "run -m dpo --store a_file": "The store {}/a_file is a file",
    "run -m dpo --store a_file/below": "a_file/below",
    "run -m dpo --out a_file": "--out a_file: no folder can be made there",
    "run -m dpo --out a_file/below": "--out a_file/below: no folder can be made there",
}


@pytest.mark.parametrize("line", PLACES)
def test_file_in_place_of_a_folder_is_told_before_anything_runs(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: Screen, tmp_path: Path
) -> None:
    (tmp_path / "a_file").touch()
    assert bench(line.split(), monkeypatch) == 2
    told = capsys.readouterr()
    assert PLACES[line].format(tmp_path) in told.err
    assert told.err.count("\n") == 1


def test_read_only_results_folder_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: Screen, tmp_path: Path
) -> None:
    def refuse(path: object, mode: int) -> bool:
        return False

    monkeypatch.setattr(os, "access", refuse)  # a superuser may write anywhere
    assert bench(["run", "-m", "dpo", "--out", "closed"], monkeypatch) == 2
    assert capsys.readouterr().err == (
        "error: --out closed: this folder is read-only; give another.\n"
    )
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (("max_steps", "max_stesp"), "unknown key 'pairs.max_stesp'; did you mean 'pairs.max_s"),
        (("[pairs]", "[pears]"), "unknown key 'pears'; did you mean 'pairs'? Allowed here: "),
        (("summary = ", "sumary = "), "unknown key 'sumary'; did you mean 'summary'?"),
        (("epochs = 2\n", ""), "the key 'policy.training.epochs' is missing; add it."),
        (("layers = 2", "layers = -2"), "layers = -2: should be greater than 0."),
        (("layers = 2", 'layers = "two"'), "layers = 'two': should be a valid integer"),
        (("kl_grid_nats = [", "kl_grid_nats = [9, "), "strictly increasing, in nats."),
        (("[world]", "[world"), "is not valid TOML"),
    ],
)
def test_mistake_in_a_task_file_names_file_key_and_remedy(
    change: tuple[str, str],
    wrong: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Screen,
    tmp_path: Path,
) -> None:
    from overopt.catalog import lookup

    text = (lookup.data_folder("tasks") / "tabular.toml").read_text(encoding="utf-8")
    assert change[0] in text
    (tmp_path / "my.toml").write_text(text.replace(*change), encoding="utf-8")
    assert bench(["plan", "-m", "dpo", "--task", "my.toml"], monkeypatch) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: my.toml")
    assert wrong in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("command", ["", "run", "plan", "report", "scores", "list", "show"])
def test_help_teaches_and_fits_80_columns(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    assert bench([*command.split(), "--help"], monkeypatch) == 0
    told = capsys.readouterr().out
    assert max(len(line) for line in told.splitlines()) <= 80
    assert "Usage: bench" in told
    assert "…" not in told, "something is cut off"


def test_a_plan_names_the_worlds_and_counts_their_cells(
    monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    words = ["plan", "-m", "bon", "dpo", "--task", "tabular", "--seeds", "2"]
    assert bench(words, monkeypatch) == 0
    assert "4 cells in world 0; KL budgets" in capsys.readouterr().out
    assert bench([*words, "--worlds", "3"], monkeypatch) == 0
    told = capsys.readouterr().out
    assert "12 cells in worlds 0, 1, 2; KL budgets" in told
    rows = {line.split()[1]: line.split()[5] for line in told.splitlines() if "│" in line}
    assert rows["initial"] == rows["pool"] == rows["front"] == "3"
    assert rows["pairs"] == "6"
    assert bench([*words, "--world", "7"], monkeypatch) == 0
    assert "4 cells in world 7; KL budgets" in capsys.readouterr().out


def test_no_words_are_a_call_for_help(monkeypatch: pytest.MonkeyPatch, capsys: Screen) -> None:
    assert bench([], monkeypatch) == 0
    assert "bench run --method dpo --kl-grid" in capsys.readouterr().out


def test_run_and_plan_share_their_options(monkeypatch: pytest.MonkeyPatch, capsys: Screen) -> None:
    told = {}
    for command in ("run", "plan"):
        bench([command, "--help"], monkeypatch)
        words = capsys.readouterr().out.split()
        told[command] = {word for word in words if word.startswith("--")}
    assert told["plan"] - told["run"] == {"--json"}
    assert {word for word in told["run"] - told["plan"] if word != "--kl-grid"} == {
        "--out",
        "--quiet",
        "--report-to",
        "--executor",
        "--address",
        "--gpus-per-stage",
    }


@pytest.mark.parametrize("command", ["examine", "extrapolate"])
def test_what_a_command_has_no_use_for_is_not_in_its_help(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    told = {}
    for name in ("run", command):
        assert bench([name, "--help"], monkeypatch) == 0
        told[name] = {word for word in capsys.readouterr().out.split() if word.startswith("--")}
    unused = {"--method", "--rates", "--kl-grid", "--along", "--engine"}
    assert unused <= told["run"]
    assert not unused & told[command]
    assert {"--proxy", "--task", "--noise", "--comparisons"} <= told[command]
    assert bench([command, "--method", "dpo", "--task", "tabular"], monkeypatch) == 2
    assert "leave --method out" in capsys.readouterr().err


def test_interrupt_says_what_is_kept_and_exits_130(
    monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    from overopt.commands import run

    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt("Stopped: 3 of 10 stages are done and kept.")

    monkeypatch.setattr(run, "run", interrupt)
    assert bench(["run", "-m", "dpo"], monkeypatch) == 130
    assert capsys.readouterr().err == "\nStopped: 3 of 10 stages are done and kept.\n"


def test_module_is_the_same_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "overopt", "run", "--method", "dop"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: Unknown method 'dop'")
