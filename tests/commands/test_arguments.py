"""What words on the command line become: options with several values, and a resolved run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overopt.catalog import lookup, toml_files
from overopt.commands.arguments import resolve, spread
from overopt.commands.machine import count_workers
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.run.sources import sources
from overopt.spec.task import TaskSpec

TINY = Path(__file__).parents[1] / "end_to_end" / "tiny.toml"

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
NUMBERS = st.floats(-1e3, 1e3).map(lambda value: f"{value:.6f}")


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        ("", ""),
        ("run --method dpo", "run --method dpo"),
        ("run --method bon dpo", "run --method bon --method dpo"),
        ("run -m bon dpo --seeds 3", "run -m bon -m dpo --seeds 3"),
        ("run --method=bon dpo", "run --method=bon --method dpo"),
        ("run --method bon --method dpo", "run --method bon --method dpo"),
        ("run --kl-grid", "run --kl-grid task"),
        ("run --kl-grid --quiet", "run --kl-grid task --quiet"),
        ("run --kl-grid 1 2", "run --kl-grid 1 --kl-grid 2"),
        ("run --kl-grid=1 2", "run --kl-grid=1 --kl-grid 2"),
        ("run --kl-grid -1", "run --kl-grid -1"),
        ("run --kl-grid -1 -.5", "run --kl-grid -1 --kl-grid -.5"),
        ("run --kl-grid -m dpo", "run --kl-grid task -m dpo"),
        ("run --noise 0 bt:1 --out x", "run --noise 0 --noise bt:1 --out x"),
        ("plan --world 3 7 --worlds 2", "plan --world 3 --world 7 --worlds 2"),
        ("run --set a=1 b=2", "run --set a=1 --set b=2"),
        ("report one two --out x", "report one two --out x"),
        ("run --method", "run --method"),
    ],
)
def test_spread_literals(typed: str, understood: str) -> None:
    assert spread(typed.split()) == understood.split()


@given(st.sampled_from(["--method", "-m", "--noise", "--kl-grid"]), st.lists(NAMES | NUMBERS))
def test_every_value_gets_its_option(option: str, values: list[str]) -> None:
    done = spread([option, *values, "--quiet"])
    assert done[-1] == "--quiet"
    if values:
        assert done[:-1] == [word for value in values for word in (option, value)]


@given(st.lists(NAMES | st.sampled_from(["--method", "--kl-grid", "--out", "--quiet", "-1"])))
def test_spreading_twice_is_spreading_once(words: list[str]) -> None:
    once = spread(words)
    assert spread(once) == once


def test_left_out_options_are_the_tasks() -> None:
    task = toml_files.load_task("reviews")
    run = resolve(Request(method=["dpo"]))
    assert run.task == task
    assert run.kl_grid_nats == task.kl_grid_nats
    assert run.seeds == (0, 1, 2, 3, 4)
    assert run.comparisons == (task.proxy.comparisons,)
    assert run.proxy_starts == ("scratch",)
    assert run.proxy_widths == (task.proxy.width,)
    assert [proxy.name for proxy in run.proxies] == ["single"]
    assert [noise.label for noise in run.noises] == ["0"]
    assert run.standard


@pytest.mark.parametrize(
    "request_",
    [
        Request(method=["dpo"], kl_grid=["1", "2"]),
        Request(method=["dpo"], settings=["dpo.beta=0.2"]),
        Request(method=["dpo"], settings=["pairs.max_steps=3"]),
        Request(method=["dpo"], comparisons=[64]),
        Request(method=["dpo"], proxy_width=[16]),
        Request(method=["dpo"], proxy_start=["policy"]),
        Request(method=["dpo"], gold="transformer"),
    ],
)
def test_a_changed_run_is_recorded_as_such(request_: Request) -> None:
    assert not resolve(request_).standard


def test_bare_grid_is_the_tasks_and_budgets_are_sorted() -> None:
    assert resolve(Request(method=["dpo"], kl_grid=["task"])).standard
    assert resolve(Request(method=["dpo"], kl_grid=["4", "0.5", "4"])).kl_grid_nats == (0.5, 4.0)


def test_settings_reach_their_owner() -> None:
    run = resolve(
        Request(
            method=["dpo", "rloo"],
            proxy=["uwo"],
            settings=["dpo.beta=0.2", "uwo.members=3", "proxy.architecture.width=16", "gold=rule"],
        )
    )
    assert run.methods[0].config == {"beta": 0.2}
    assert run.methods[1].config == {"beta": 0.0}
    assert run.proxies[0].members == 3
    assert run.task.proxy.width == 16


@given(st.integers(max_value=0))
def test_counts_below_one_are_refused(count: int) -> None:
    with pytest.raises(UserError, match=f"--workers {count}"):
        count_workers(count)
    with pytest.raises(UserError, match=f"--seeds {count}"):
        resolve(Request(method=["dpo"], seeds=count))


@given(st.floats(max_value=0) | st.just(float("inf")) | st.just(float("nan")))
def test_budgets_are_finite_and_above_zero(kl_nats: float) -> None:
    with pytest.raises(UserError, match="above 0"):
        resolve(Request(method=["dpo"], kl_grid=[str(kl_nats)]))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6, unique=True))
def test_seeds_stand_as_given(seeds: list[int]) -> None:
    assert resolve(Request(method=["dpo"], seed=seeds)).seeds == tuple(seeds)


@pytest.mark.parametrize(
    ("kind", "option", "other"), [("tasks", "task", "tabular"), ("gold", "gold", "rule")]
)
def test_an_own_file_named_like_a_shipped_one_is_refused(
    kind: str, option: str, other: str, tmp_path: Path
) -> None:
    shipped = lookup.data_folder(kind) / f"{other}.toml"

    def asked(file: Path) -> Request:
        given: dict[str, Any] = {"method": ["bon"], "task": "tabular", option: str(file)}
        return Request(**given)

    for file, text in (
        (tmp_path / f"{other}.toml", shipped.read_text()),
        (tmp_path / "mine.toml", f'name = "{other}"\n{shipped.read_text()}'),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=f"{file.name}: {other} is the name of a shipped"):
            resolve(asked(file))
    own = tmp_path / "mine.toml"
    own.write_text(shipped.read_text())
    assert getattr(resolve(asked(own)), option).name == "mine"
    resolve(asked(shipped))  # it is the shipped one
    own.write_text(f'name = "../mine"\n{shipped.read_text()}')
    with pytest.raises(UserError, match="use letters, digits"):
        resolve(asked(own))


def test_worlds_are_the_tasks_the_first_ones_or_those_that_are_named() -> None:
    assert resolve(Request(method=["dpo"])).worlds == (0,)
    assert resolve(Request(method=["dpo"], settings=["world.seed=5"])).worlds == (5,)
    first = resolve(Request(method=["dpo"], worlds=3))
    assert first.worlds == (0, 1, 2) and first.task.world.seed == 0
    named = resolve(Request(method=["dpo"], world=[7, 3], worlds=9))
    assert named.worlds == (7, 3) and named.task.world.seed == 7


def test_worlds_are_an_axis_and_leave_a_run_standard() -> None:
    by_set, by_name = (
        resolve(Request(method=["dpo"], settings=["world.seed=5"])),
        resolve(Request(method=["dpo"], world=[5])),
    )
    assert by_set == by_name and by_set.standard
    assert not resolve(Request(method=["dpo"], settings=["world.heldout_prompts=64"])).standard


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (Request(worlds=0), "--worlds 0: it is a count from 1 to 1,000"),
        (Request(world=[-2]), "--world -2: a seed is a whole number from 0"),
        (Request(world=[1, 1]), "--world 1 is given twice"),
        (Request(worlds=2, settings=["world.seed=1"]), "give one of them"),
        (Request(world=[2], settings=["world.seed=1"]), "give one of them"),
    ],
)
def test_worlds_that_cannot_be_run_are_told(given_: Request, said: str) -> None:
    with pytest.raises(UserError, match=said):
        resolve(replace(given_, method=["dpo"]))


@pytest.mark.parametrize(
    ("methods", "engine"),
    [
        (["dpo"], "trl"),
        (["rloo", "bon", "dpo"], "trl"),
        (["bon"], "native"),
        (["dpo", "superhf"], "native"),
        (["warp"], "trl"),
    ],
)
def test_on_hub_tasks_trl_is_the_default_where_it_runs_all(methods: list[str], engine: str) -> None:
    assert resolve(Request(method=methods, task="tldr")).engine == engine
    assert resolve(Request(method=methods, task="tldr", engine="native")).engine == "native"


def test_the_engine_is_native_on_generated_worlds_unless_asked_for() -> None:
    assert resolve(Request(method=["dpo"])).engine == "native"
    run = resolve(
        Request(method=["dpo"], engine="trl", settings=["trl.bf16=true", 'trl.lora_targets=["q"]'])
    )
    assert run.engine == "trl"
    assert run.task.trl.bf16
    assert run.task.trl.lora_targets == ("q",)
    assert TaskSpec.model_validate(run.task.to_json()) == run.task
    assert not run.task.trl.gradient_checkpointing
    assert resolve(Request(method=["dpo"], engine="trl")).standard


def test_arguments_of_trl_itself_are_settings_too() -> None:
    given = ["trl.generation=vllm", "trl.arguments.vllm_mode=colocate", "trl.arguments.tf32=false"]
    run = resolve(Request(method=["rloo"], engine="trl", settings=given))
    assert run.task.trl.generation == "vllm"
    assert run.task.trl.arguments == {"vllm_mode": "colocate", "tf32": False}


@pytest.mark.parametrize(
    ("method", "needs"),
    [("kto", "mismatched"), ("cream", "sampled_logp"), ("mm-dpo", "proxy_scores")],
)
def test_what_only_the_native_engine_serves_is_told_before_anything_runs(
    method: str, needs: str
) -> None:
    with pytest.raises(UserError, match=f"{method} needs {needs}, which the engine trl"):
        resolve(Request(method=[method], engine="trl"))
    assert resolve(Request(method=["kto"], task="tldr")).engine == "native"
    assert resolve(Request(method=["dpo"], task="tldr")).engine == "trl"


def test_an_unknown_engine_is_told() -> None:
    with pytest.raises(UserError, match="native, stacked, trl"):
        resolve(Request(method=["dpo"], engine="tlr"))


def test_an_unknown_option_of_the_engine_is_told() -> None:
    with pytest.raises(UserError, match=r"trl\.lora"):
        resolve(Request(method=["dpo"], engine="trl", settings=["trl.lora=4"]))


def test_starts_stand_as_given_and_the_gold_is_larger_than_any() -> None:
    run = resolve(Request(method=["bon"], proxy_start=["policy", "scratch"], gold="transformer"))
    assert run.proxy_starts == ("policy", "scratch")
    wide = ["policy.architecture.width=96", "policy.architecture.heads=3"]
    asked = Request(method=["bon"], settings=wide, gold="transformer")
    assert resolve(asked).proxy_starts == ("scratch",)
    with pytest.raises(UserError, match=r"larger than every proxy .width 96, 2 layers"):
        resolve(replace(asked, proxy_start=["policy"]))


def test_a_task_without_an_architecture_starts_its_proxies_from_the_policy(tmp_path: Path) -> None:
    text = TINY.read_text()
    table = "[proxy.architecture]\nlayers = 1\nwidth = 8\nheads = 1\n"
    assert table in text
    own = tmp_path / "matched.toml"
    own.write_text(text.replace(table, ""))
    run = resolve(Request(method=["bon"], task=str(own)))
    assert run.proxy_starts == ("policy",) and run.task.proxy_width == 8
    with pytest.raises(UserError, match=r"matched has no table .proxy\.architecture. to start"):
        resolve(Request(method=["bon"], task=str(own), proxy_start=["scratch"]))


def test_a_base_that_no_proxy_starts_from_is_not_fetched() -> None:
    kept = resolve(Request(method=["bon"], task="tldr"))
    left = resolve(Request(method=["bon"], task="tldr", proxy_start=["policy"]))
    assert kept.proxy_starts == ("base",)
    assert {one.role for one in sources(kept)} - {one.role for one in sources(left)} == {
        "proxy base"
    }
