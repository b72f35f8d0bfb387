"""Declarations are found by name, read without being run, and refused with a reason."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overopt.catalog import lookup, systems, toml_files
from overopt.catalog.declarations import unknown
from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.execution.code.modules import find_module, load_module, module_in
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.pursuit import foreseen
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import build

TASKS, GOLDS = lookup.names("tasks"), lookup.names("gold")
GENERATED = [task for task in TASKS if toml_files.load_task(task).world.hub is None]
"""Tasks whose world needs nothing from outside."""
METHODS, PROXIES = lookup.names("methods"), lookup.names("proxies")

OWN = '''"""Mine: a method of my own."""

FAMILY = "pairs"
KNOB = knob("beta", low=0.1, high=1.0, raises_kl=False)
USES_GOLD = "none"
LONG: int = 3


class Config:
    beta: float = param(1, help="the pull", unit="1/nats", above=0.0, at_most=2.0)
    steps: int = param(help="how many", at_least=1)
    fast: bool = param(True, help="whether to hurry")
    kind: str = param("plain", help="which kind")


def loss(config, batch):
    return -batch.chosen.log_ratio
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.mark.parametrize("task", GENERATED)
def test_task_builds_its_world_with_its_gold(task: str) -> None:
    spec = toml_files.load_task(task)
    assert spec.name == task
    assert spec.summary
    assert spec.gold in GOLDS
    world = build(spec.world)
    assert world.train_prompts.rows() == spec.world.train_prompts
    assert world.heldout_prompts.rows() == spec.world.heldout_prompts
    text = world.references(world.heldout_prompts, np.random.default_rng(0))
    assert np.isfinite(world.gold(world.heldout_prompts, text)).all()


@pytest.mark.parametrize("gold", GOLDS)
def test_gold_loads_and_is_larger_than_the_proxies_of_every_task(gold: str) -> None:
    spec = toml_files.load_gold(gold)
    assert (spec.name, bool(spec.summary)) == (gold, True)
    for task in TASKS:
        request = Request(method=["dpo"], task=task, gold=gold)
        of_table = toml_files.load_task(task).world.pool is not None and spec.kind != "rule"
        if of_table or spec.kind == ("classifier" if task in GENERATED else "model"):
            with pytest.raises(UserError, match="--gold"):
                resolve(request)
        elif spec.kind == "classifier":
            assert resolve(request).gold.classifier == toml_files.load_task(task).classifier
        else:
            assert resolve(request).gold == spec


def _suits(system: ProxySystemSpec, name: str) -> bool:
    """Whether a task has the steps, categories, labels or examples that a system asks for."""
    task = toml_files.load_task(name)
    categories, outcomes = (
        find_module(module_in("worlds", f"{task.world.kind}.{room}"))
        for room in ("categories", "outcomes")
    )
    return (
        (task.world.has_steps or not system.step_scores)
        and (categories is not None or "category" not in system.labels)
        and (outcomes is not None or "outcomes" not in system.labels)
        and (task.policy.examples > 0 or not _of_examples(system))
        and not (task.labels is not None and system.refits)
        and ("annotator" not in system.labels or bool(task.labels and task.labels.annotators))
        and ("clean" not in system.labels or bool(task.labels and task.labels.clean))
    )


def _of_examples(system: ProxySystemSpec) -> bool:
    """Whether a system needs an initial policy that is trained here."""
    return bool(system.reference or system.earlier or system.start == "policies")


@pytest.mark.parametrize("along", ["step", "knob"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_planned_on_every_task(method: str, task: str, along: str) -> None:
    _plan(method, ["single", "uwo", "warm"], task, along)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", ["bon", "rloo"])
def test_every_proxy_can_be_planned_on_every_task(method: str, task: str) -> None:
    suited = [name for name in PROXIES if _suits(systems.proxy(name), task)]
    assert len(suited) > 10
    _plan(method, suited, task, "step")


def _plan(method: str, suited: list[str], task: str, along: str) -> None:
    """Plan two seeds: cells that differ share no result, and what blind methods do is done once."""
    run = resolve(Request(method=[method], proxy=suited, task=task, along=along, seeds=2))
    cells = cells_of(run)
    made = systems.method(method)
    chooses = made.family == "selection" and not made.composes and not made.filters
    if run.task.world.pool is not None and not chooses:
        with pytest.raises(UserError, match="can only be chosen among"):
            foreseen(Graph(cells[0]), run)
        return
    if "step_rewards" in made.needs and suited != ["prm"]:
        with pytest.raises(UserError, match="asks for the score of each step"):
            foreseen(Graph(cells[0]), run)
        if run.task.world.has_steps:
            _plan(method, ["prm"], task, along)
        return
    if "second_initial" in systems.method(method).needs and not run.task.policy.examples:
        with pytest.raises(UserError, match="needs a second initial policy"):
            foreseen(Graph(cells[0]), run)
        return
    if "answers" in systems.method(method).needs and not run.task.world.has_answers:
        with pytest.raises(UserError, match="have none; use --task arithmetic"):
            foreseen(Graph(cells[0]), run)
        return
    if "demonstrations" in systems.method(method).needs and not run.task.world.has_references:
        with pytest.raises(UserError, match="learns from reference texts"):
            foreseen(Graph(cells[0]), run)
        return
    if {"revisions", "revised_samples"} & set(made.needs) and run.task.world.hub is not None:
        with pytest.raises(UserError, match="asks for revisions, whose prompts end in a sep"):
            foreseen(Graph(cells[0]), run)
        return
    if "step_pairs" in systems.method(method).needs and not run.task.world.has_steps:
        with pytest.raises(UserError, match="learns from steps"):
            foreseen(Graph(cells[0]), run)
        return
    # a method that does not see the proxy runs once, whatever proxies are asked for
    proxies = len(suited) if systems.method(method).sees_proxy else 1
    assert len(cells) == 2 * proxies
    seeds_of_key: dict[str, set[int]] = {}
    for cell in cells:
        seeds_of_key.setdefault(foreseen(Graph(cell), run)[-1].key, set()).add(cell.seed)
    assert all(len(seeds) == 1 for seeds in seeds_of_key.values()), "seeds share a result"
    if along == "step":
        assert len(seeds_of_key) == len(cells), "cells that differ share a result"


def test_own_file_is_read_without_being_run(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "overopt_own.mine", raising=False)
    found = lookup.declaration("methods", str(own))
    assert found.summary == "Mine: a method of my own"
    assert found.source == str(own)
    assert found.constants["LONG"] == 3
    assert [one.name for one in found.parameters] == ["beta", "steps", "fast", "kind"]
    assert found.parameters[0].default == 1.0
    assert isinstance(found.parameters[0].default, float)
    assert found.parameters[0].allowed() == "float > 0 and <= 2, in 1/nats"
    assert found.parameters[1].default is None
    assert found.parameters[3].allowed() == "str"
    assert "overopt_own.mine" not in sys.modules
    method = systems.method(str(own), {"steps": 4})
    assert method.config == {"beta": 1.0, "steps": 4, "fast": True, "kind": "plain"}
    assert (method.knob.low, method.knob.high, method.knob.raises_kl) == (0.1, 1.0, False)


@pytest.mark.parametrize(
    ("given_", "wrong"),
    [
        ({}, "mine: steps has no default; give it with --set mine.steps=VALUE (int >= 1)"),
        ({"steps": 0}, "mine: steps = 0 is out of bounds, it must be int >= 1; how many."),
        ({"steps": 1.5}, "mine: steps = 1.5 is not int >= 1; how many."),
        ({"steps": True}, "mine: steps = True is not int >= 1"),
        ({"steps": 1, "beta": 2.1}, "beta = 2.1 is out of bounds"),
        ({"steps": 1, "beta": float("inf")}, "beta = inf is out of bounds"),
        ({"steps": 1, "fast": 1}, "fast = 1 is not bool"),
        ({"steps": 1, "kind": 2}, "kind = 2 is not str"),
        ({"stepz": 1}, "Unknown setting of mine 'stepz'. Did you mean steps? Available: beta, "),
    ],
)
def test_settings_are_checked(own: Path, given_: dict[str, object], wrong: str) -> None:
    with pytest.raises(UserError) as told:
        systems.method(str(own), given_)
    assert wrong in str(told.value)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (('KNOB = knob("beta"', 'NOB = knob("beta"'), "the constant KNOB is missing"),
        (("low=0.1", "low=LOW"), "line 4: declarations hold literals only, not"),
        (('"pairs"', '"pears"'), "Unknown family 'pears'. Did you mean pairs?"),
        (('USES_GOLD = "none"', 'USES_GOLD = "all"'), "Unknown use of gold 'all'"),
        (("USES_GOLD =", "READS_PROXY = 0\nUSES_GOLD ="), "READS_PROXY = 0 is neither True nor"),
        (("USES_GOLD =", "READS_PROXY = False\nUSES_GOLD ="), "not of the family pairs; remove it"),
        (("class Config", "class Settings"), "it has no class Config"),
        (("beta: float = param(1,", "beta: float = dict(default=1,"), "line 10: a Config field"),
        (("beta: float", "beta: list"), "line 10: a Config field is written"),
        (('"pairs"', '"pairs'), "line 3: not valid Python"),
    ],
)
def test_mistakes_of_a_method_file_name_the_line(
    own: Path, change: tuple[str, str], wrong: str
) -> None:
    broken = own.with_name("broken_mine.py")
    assert change[0] in OWN
    broken.write_text(OWN.replace(*change), encoding="utf-8")
    with pytest.raises(UserError) as told:
        systems.method(str(broken), {"steps": 1})
    assert wrong in str(told.value)


def test_a_setting_may_name_the_words_that_it_may_be(own: Path) -> None:
    text = OWN.replace('help="which kind"', 'help="which kind", one_of=("plain", "fancy")')
    own.write_text(text, encoding="utf-8")
    assert lookup.declaration("methods", str(own)).parameters[3].allowed() == "plain, fancy"
    assert systems.method(str(own), {"steps": 1, "kind": "fancy"}).config["kind"] == "fancy"
    with pytest.raises(UserError, match=r"Unknown value of kind 'fanzy'. Did you mean fancy\?"):
        systems.method(str(own), {"steps": 1, "kind": "fanzy"})
    own.write_text(text.replace('"plain",', '"pale",', 1), encoding="utf-8")
    with pytest.raises(UserError, match="Unknown value of kind 'pale'"):
        systems.method(str(own), {"steps": 1})


def test_a_setting_that_came_later_stands_in_a_specification_where_it_is_set(own: Path) -> None:
    text = OWN.replace('help="which kind"', 'help="which kind", later=True')
    own.write_text(text, encoding="utf-8")
    assert "kind" not in systems.method(str(own), {"steps": 1}).config
    assert "kind" not in systems.method(str(own), {"steps": 1, "kind": "plain"}).config
    assert systems.method(str(own), {"steps": 1, "kind": "fancy"}).config["kind"] == "fancy"
    for wrong in ("later=1", 'later="yes"'):
        own.write_text(text.replace("later=True", wrong), encoding="utf-8")
        with pytest.raises(UserError, match="it is True or False, with a default"):
            systems.method(str(own), {"steps": 1})


def test_proxy_without_members_is_refused(own: Path) -> None:
    own.write_text(OWN.replace("FAMILY", "WORDS"), encoding="utf-8")
    with pytest.raises(UserError, match="no field members; declare how many reward models"):
        systems.proxy(str(own), {"steps": 1})


def test_own_module_is_imported_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "answer.py"
    path.write_text("ANSWER = 42\n", encoding="utf-8")
    assert load_module(str(path)).ANSWER == 42
    assert load_module("overopt.stats.kl").__name__ == "overopt.stats.kl"


@given(st.text(max_size=12), st.sets(st.text(min_size=1, max_size=12), max_size=5))
def test_unknown_names_are_told_whatever_they_are(name: str, known: set[str]) -> None:
    told = unknown("thing", name, known)
    assert told.startswith(f"Unknown thing {name!r}.")
    assert all(one in told for one in known)
    assert told.endswith(".")


def test_overrides_reach_into_tables() -> None:
    task = toml_files.load_task("reviews", {"proxy.architecture.width": 16, "gold": "transformer"})
    assert task.proxy.width == 16
    assert task.gold == "transformer"
    assert toml_files.load_task("reviews").proxy.width != 16


@pytest.mark.parametrize("typed", ["elastic-reset", "elastic_reset"])
def test_dashes_and_underscores_name_the_same_method(typed: str) -> None:
    run = resolve(Request(method=[typed], settings=[f"{typed}.reset_steps=7"]))
    (method,) = run.methods
    assert (method.name, method.source) == (
        "elastic-reset",
        "overopt.methods.rollout.elastic_reset",
    )
    assert method.config["reset_steps"] == 7


MERGE = OWN.replace('"pairs"', '"merge"')
ITERATIVE = (
    OWN.replace('"pairs"', '"iterative"') + "\n\ndef build(config, rollout):\n    return 0\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OWN + '\nINPUTS = ("forward_k",)\n', "Unknown input 'forward_k'. Did you mean forward_kl"),
        (OWN + '\nINPUTS = "forward_kl"\n', "is not a tuple"),
        (OWN + '\nINPUTS = ("policy_states", "reference_states")\n', "not both"),
        (
            OWN + '\nINPUTS = ("sampled_logp",)\n',
            "the family pairs do not get; it is for iterative",
        ),
        (OWN + "\n\ndef begin(config, initial):\n    return 0\n", "a memory that nothing uses"),
        (
            OWN.replace('"pairs"', '"rollout"')
            + '\nINPUTS = ("reference_samples", "mixture_samples")\n',
            "opponents are from one",
        ),
        (
            OWN.replace('"pairs"', '"rollout"') + '\nINPUTS = ("opponents_now",)\n',
            "opponents_now and no opponents; add reference_samples or",
        ),
        (
            OWN.replace('"pairs"', '"rollout"') + '\nINPUTS = ("mixture_samples",)\n',
            "the function mixture.config. go together",
        ),
        (
            OWN + "\n\ndef begin(config, initial):\n    return 0\n"
            "\n\ndef observe(config, memory, rollout):\n    return 0\n",
            "draws no samples",
        ),
        (
            OWN.replace('"pairs"', '"rollout"') + "\n\ndef begin(config, initial):\n    return 0\n"
            "\n\ndef observe_pairs(config, memory, batch):\n    return 0\n",
            "observe_pairs would never be called; use observe",
        ),
        (
            OWN + "\n\ndef temperature(config, memory):\n    return 2.0\n",
            "observe and temperature would never be called",
        ),
        (
            OWN.replace('"pairs"', '"rollout"') + "\n\ndef begin(config, initial):\n    return 0\n"
            "\n\ndef before_steps(config, memory, weights, number):\n    return 0\n",
            "before_steps would never be called; it is for iterative",
        ),
        (
            OWN.replace('"pairs"', '"rollout"') + '\nINPUTS = ("demonstrations",)\n',
            "the family rollout do not get; it is for iterative",
        ),
        (
            OWN.replace('"pairs"', '"rollout"') + '\nINPUTS = ("searched_samples",)\n',
            "the family rollout do not get; it is for iterative",
        ),
        (
            ITERATIVE + '\nINPUTS = ("searched_samples",)\n',
            "searched_samples in INPUTS and the function priority.config, children. go together",
        ),
        (
            ITERATIVE + "\n\ndef priority(config, children):\n    return 0\n",
            "searched_samples in INPUTS and the function priority.config, children. go together",
        ),
        (
            ITERATIVE + '\nINPUTS = ("searched_samples",)\n'
            "\n\ndef priority(config, children):\n    return 0\n",
            "a whole number from 1 as the field rollouts",
        ),
        (OWN + '\nINPUTS = ("answers",)\n', "the family pairs do not get; it is for selection"),
        (
            OWN.replace('"pairs"', '"rollout"') + '\nINPUTS = ("listed",)\n',
            "the family rollout do not get; it is for pairs",
        ),
        (OWN + '\nINPUTS = ("listed",)\n', "a whole number from 1 as the field samples"),
        (
            OWN.replace('"pairs"', '"selection"') + '\nINPUTS = ("novelty",)\n',
            "novelty in INPUTS and the function make_predictor.config, shape. go together",
        ),
        (
            OWN + '\nOBSERVES_FOR = ("step",)\n',
            "OBSERVES_FOR: Unknown field 'step'. Did you mean steps",
        ),
        (
            OWN.replace('"pairs"', '"rollout"') + '\nOBSERVES_FOR = ("steps",)\n',
            "a method with OBSERVES_FOR defines observe",
        ),
        (
            ITERATIVE + '\nINPUTS = ("member_rewards",)\nREADS_PROXY = False\n',
            "INPUTS names member_rewards, which the proxy says",
        ),
        (MERGE, "declares MEMBER_FAMILY"),
        (MERGE + '\nMEMBER_FAMILY = "rollout"\n', "has a field members"),
        (MERGE + '\nMEMBER_FAMILY = "selection"\n', r"\(pairs, rollout, iterative\)"),
        (OWN + '\nMEMBER_FAMILY = "rollout"\n', "and no other"),
    ],
)
def test_inputs_and_members_are_checked(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        systems.method(str(path), {"steps": 1})
