"""The trial of an own file: whatever it does, one sentence and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from overopt.catalog import lookup, systems, toml_files
from overopt.commands.arguments import resolve
from overopt.commands.reproduce.reproduce import specs_of
from overopt.commands.trial import try_own
from overopt.errors import UserError
from overopt.papers.contract.paper import SCALES
from overopt.papers.shelf import find, names
from overopt.spec.run import RunSpec
from run.specs import run_spec

LOSS = "return -logsigmoid(config.beta * margin_B)"
IMPORT = "from torch import Tensor\n"


def own(folder: Path, old: str, new: str) -> Path:
    """A copy of a shipped method with a change in its text."""
    text = lookup.files("methods")["dpo"].read_text(encoding="utf-8")
    assert old in text
    path = folder / "mine.py"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def spec(path: Path) -> RunSpec:
    """A run of this method."""
    return run_spec([str(path)], ["single"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (IMPORT, IMPORT + "import sys; sys.exit(0)\n", "importing it: SystemExit: 0"),
        (LOSS, "raise SystemExit", "loss: SystemExit"),
        (LOSS, "raise KeyboardInterrupt('mine')", "loss: KeyboardInterrupt: mine"),
        (IMPORT, IMPORT + "import os; os._exit(0)\n", "numbers ended the process; import it"),
        (LOSS, "raise ValueError('[/red] [bold]')", r"loss: ValueError: \[/red\] \[bold\]"),
    ],
)
def test_a_file_that_leaves_is_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        try_own([spec(own(tmp_path, old, new))])


def test_a_file_without_an_end_is_ended(tmp_path: Path) -> None:
    path = own(tmp_path, IMPORT, IMPORT + "while True: pass\n")
    with pytest.raises(UserError, match=r"took longer than 0\.5 s; look for a loop without an end"):
        try_own([spec(path)], 0.5)
    left = [" ".join(one.cmdline()) for one in psutil.Process().children()]
    assert not [line for line in left if "resource_tracker" not in line]


@pytest.mark.parametrize(
    ("method", "settings", "said"),
    [
        ("kl-reinforce", {"ratio": "token"}, "set place=loss"),
        ("constrained-mu", {"shares": "1,2"}, "give one number for each of 3 members"),
        ("constrained-mu", {"shares": "1,2,3"}, None),
    ],
)
def test_settings_that_exclude_each_other_are_told_before_the_run(
    method: str, settings: dict[str, str], said: str | None
) -> None:
    set_by_user = systems.method(method, settings)
    proxy = systems.proxy("mean", {"members": 3})
    run = run_spec(["dpo"]).model_copy(update={"methods": (set_by_user,), "proxies": (proxy,)})
    if said is None:
        try_own([run])
        return
    with pytest.raises(UserError, match=said):
        try_own([run])


def test_a_setting_that_counts_samples_is_tried_with_the_tasks_number() -> None:
    run = run_spec(["dpo"])
    rollout = run.task.rollout.model_copy(update={"samples_per_prompt": 7})
    task = run.task.model_copy(update={"rollout": rollout})
    all_of_them, more = (systems.method("superhf", {"keep": keep}) for keep in (7, 8))
    try_own([run.model_copy(update={"task": task, "methods": (all_of_them,)})])
    with pytest.raises(UserError, match="keep = 8 of 7 samples per prompt; keep fewer"):
        try_own([run.model_copy(update={"task": task, "methods": (more,)})])


def test_a_shipped_method_is_tried_where_prompts_have_another_number_of_samples() -> None:
    run = run_spec(["p3o"])
    shipped = toml_files.load_task("tabular")
    odd = toml_files.load_task("tabular", {"rollout.samples_per_prompt": 5})
    p3o, rloo = systems.method("p3o"), systems.method("rloo")
    try_own([run.model_copy(update={"task": shipped, "methods": (p3o,)})])
    try_own([run.model_copy(update={"task": odd, "methods": (rloo,)})])
    for task in (odd, odd.model_copy(update={"name": "of-a-file"})):
        with pytest.raises(UserError, match="an even number of samples per prompt, not 5"):
            try_own([run.model_copy(update={"task": task, "methods": (p3o,)})])


@pytest.mark.parametrize(
    ("proxy", "settings", "said"),
    [
        ("composite", {"weights": "1,2"}, "give one number for each of 3 members"),
        ("composite", {"weights": "1,nan,2"}, "weights = 1,nan,2: give one number"),
        ("composite", {"weights": "1,inf,2"}, "weights = 1,inf,2: give one number"),
        ("composite", {"weights": "1,a,2"}, "could not convert string to float: 'a'"),
        ("composite", {"members": 6}, "member 5 has no term: the gold rule has 5; set members"),
        ("composite", {"members": 5, "weights": "0,1,1,1,2"}, None),
        ("attrib-prior", {"prior": "2,1"}, "give one number for each of 5 terms"),
        ("attrib-prior", {"prior": "2,1,1,1,nan"}, "prior = 2,1,1,1,nan: give one number"),
        ("attrib-prior", {"prior": "2,1,1,1,a"}, "could not convert string to float: 'a'"),
        ("attrib-prior", {"prior": "2,1,1,0,1"}, None),
    ],
)
def test_settings_that_do_not_suit_members_or_terms_are_told_before_the_run(
    proxy: str, settings: dict[str, str | int], said: str | None
) -> None:
    """The tabular world's rule has five terms."""
    run = run_spec().model_copy(update={"proxies": (systems.proxy(proxy, settings),)})
    if said is None:
        try_own([run])
        return
    with pytest.raises(UserError, match=said):
        try_own([run])


def test_every_setting_that_a_paper_asks_for_passes_its_trial() -> None:
    asked: dict[tuple[str, str, str], RunSpec] = {}
    for name in names():
        for scale in SCALES:
            for spec in specs_of(find(name), scale, resolve).values():
                asked |= {
                    (str(one.config), one.name, str(spec.proxies[0])): spec for one in spec.methods
                }
    assert len(asked) > 50
    try_own(list(asked.values()))


PROGRAM = """
import sys
from pathlib import Path
from commands.test_trial import spec
from overopt.commands.trial import try_own
if __name__ == "__main__":
    try_own([spec(Path(sys.argv[1]))])
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_trial_ends_with_the_command_that_made_it(how: signal.Signals, tmp_path: Path) -> None:
    path = own(
        tmp_path, IMPORT, IMPORT + "import os\nprint(os.getpid(), flush=True)\nwhile True: pass\n"
    )
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    tests = Path(__file__).parents[1]
    driver = subprocess.Popen(
        [sys.executable, "program.py", str(path)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])},
    )
    assert driver.stdout is not None
    trial = psutil.Process(int(driver.stdout.readline()))
    driver.send_signal(how)
    driver.wait(60)
    ended = threading.Event()
    while trial.is_running() and trial.status() != psutil.STATUS_ZOMBIE:
        ended.wait(0.05)
