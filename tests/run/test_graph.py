"""Which work cells share, and what moves a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.catalog import lookup, systems, toml_files
from overopt.errors import UserError
from overopt.execution.node import Node, ancestry
from overopt.run.cells import cells_of, first_of_worlds
from overopt.run.graph import Graph
from overopt.run.knob import with_knob
from overopt.run.own_files import file_name, without_place
from overopt.run.pursuit import foreseen
from overopt.spec.run import RunSpec

from .specs import run_spec


def _keys(run: RunSpec, stage: str) -> set[str]:
    wanted = [made for cell in cells_of(run) for made in foreseen(Graph(cell), run)]
    return {made.key for made in ancestry(wanted) if made.name == stage}


def _roles(made: Node) -> set[str]:
    return {role for role, _ in made.inputs}


def test_proxies_of_either_start_share_labels_seeds_and_all_else() -> None:
    run = run_spec(["rloo"], starts=["scratch", "policy"])
    scratch, policy = (Graph(cell).proxy(1) for cell in cells_of(run))
    assert scratch.key != policy.key and scratch.kind != policy.kind
    inputs = {role: made.key for role, made in policy.inputs}
    assert {"labels": inputs["labels"]} == {role: made.key for role, made in scratch.inputs}
    initial = Graph(cells_of(run)[0]).initial.key
    assert inputs == {"labels": inputs["labels"], "initial": initial}
    for name in ("seed", "member", "world"):
        assert scratch.params[name] == policy.params[name]
    made = dict(scratch.params["proxy"])
    assert made.pop("architecture") == {"family": "gpt2", "layers": 1, "width": 8, "heads": 1}
    assert made == policy.params["proxy"]
    assert len(_keys(run, "optimize")) == 2 and len(_keys(run, "labels")) == 1


def test_a_proxy_from_scratch_is_described_as_before_there_were_starts() -> None:
    """Its parameters, which its key hashes: none speaks of a start."""
    params = Graph(cells_of(run_spec())[0]).proxy(0).params
    assert set(params) == {"world", "proxy", "seed", "member"}
    assert set(params["proxy"]) == {
        "architecture", "comparisons", "training", "calibration_samples",
    }  # fmt: skip


def test_the_world_is_built_once_for_all_cells() -> None:
    run = run_spec(["dpo", "bon"], ["single", "mean"], ["0", "0.25"], [0, 1], [8, 16])
    for stage in ("initial", "gold", "pool"):
        assert len(_keys(run, stage)) == 1, stage
    assert len(_keys(run, "pairs")) == 2  # seeds
    assert len(_keys(run, "labels")) == 4  # seeds x noises
    assert len(_keys(run, "proxy")) == 5 * 2 * 4  # members x widths x (seeds x noises)


def test_worlds_share_nothing_and_each_is_built_once() -> None:
    methods, noises, seeds = ["dpo", "bon"], ["0", "0.25"], [0, 1]
    run = run_spec(methods, noises=noises, seeds=seeds, worlds=(0, 3))
    cells = cells_of(run)
    assert [cell.world for cell in cells] == [0] * 8 + [3] * 8
    assert [cell.seed for cell in cells] == [0, 1] * 8
    keys = {
        world: {
            (made.stage, made.key)
            for made in ancestry(
                made for cell in cells if cell.world == world for made in foreseen(Graph(cell), run)
            )
        }
        for world in (0, 3)
    }
    assert keys[0].isdisjoint(keys[3])
    for world in (0, 3):
        alone = run_spec(methods, noises=noises, seeds=seeds, worlds=(world,))
        wanted = [made for cell in cells_of(alone) for made in foreseen(Graph(cell), alone)]
        assert keys[world] == {(made.stage, made.key) for made in ancestry(wanted)}
    for stage in ("initial", "gold", "pool"):
        assert len(_keys(run, stage)) == 2, stage
    fronts = [Graph(cell).front((0.1,)) for cell in first_of_worlds(cells)]
    assert [made.label for made in fronts] == ["oracle front, world 0", "oracle front, world 3"]
    assert [dict(made.inputs)["pool"].params["world"]["seed"] for made in fronts] == [0, 3]


def test_seeds_of_worlds_draw_from_streams_of_their_own() -> None:
    cells = cells_of(run_spec(seeds=(0, 1, 2), worlds=(0, 1, 2)))
    assert [cell.stream for cell in cells[:3]] == [0, 1, 2]
    assert len({cell.stream for cell in cells}) == 9
    second = Graph(cells[4])
    run_seeds = {
        made.params["seed"]
        for made in ancestry([second.along_step((0.1,))])
        if "seed" in made.params and made.name not in ("initial", "gold", "pool")
    }
    assert run_seeds == {2**32 + 1}
    assert second.initial.params["seed"] == second.pool.params["seed"] == 1


def test_systems_share_members_and_a_pairs_method_is_run_once_for_all_systems() -> None:
    run = run_spec(["dpo", "rloo"], ["single", "mean"])
    assert len(_keys(run, "proxy")) == 5
    assert len(_keys(run, "optimize")) == 1 + 2  # dpo has no proxy; rloo has one run for each
    assert len(_keys(run, "measure")) == 1 + 2


def test_a_proxy_scores_the_whole_pool_for_methods_that_choose_from_it_only() -> None:
    run = run_spec(["dpo", "bon"])
    evaluation = run.task.evaluation.model_copy(update={"pool_samples_per_prompt": 100})
    task = run.task.model_copy(update={"evaluation": evaluation})
    large = run.model_copy(update={"task": task})
    for spec, part in ((run, "pool"), (large, "pool_excerpt")):
        of_method = {
            cell.method.name: dict(foreseen(Graph(cell), spec)[0].inputs) for cell in cells_of(spec)
        }
        scored = {
            name: dict(inputs["score.pool.0"].inputs)["samples"]
            for name, inputs in of_method.items()
        }
        assert scored["bon"].name == "pool" and scored["dpo"].name == part
        assert of_method["dpo"].get("pool.scored", scored["dpo"]).key == scored["dpo"].key
        assert "pool.scored" not in of_method["bon"]


@pytest.mark.parametrize("name", lookup.names("methods"))
def test_a_method_sees_the_proxy_where_its_policies_are_made_of_it(name: str) -> None:
    """What the specification says is what the graph hands over; blind ones only record it."""
    run = run_spec([name])
    if "step_rewards" in run.methods[0].needs:
        steps = {"proxies": (systems.proxy("prm"),), "proxy_widths": (None,)}
        sums = {"task": toml_files.load_task("arithmetic"), "proxy_starts": ("policy",)}
        run = run.model_copy(update={**steps, **sums})
    if "step_pairs" in run.methods[0].needs:
        world = toml_files.load_task("arithmetic").world
        run = run.model_copy(update={"task": run.task.model_copy(update={"world": world})})
    if "answers" in run.methods[0].needs:  # which the tiny world has none of
        sums = {"task": toml_files.load_task("arithmetic"), "proxy_widths": (None,)}
        run = run.model_copy(update={**sums, "proxy_starts": ("policy",)})
    points, *_ = foreseen(Graph(cells_of(run)[0]), run)
    policies = [given for role, given in points.inputs if role.startswith("evaluate.")]
    made_of = {made.name for made in ancestry(policies)}
    proxies = made_of & {"proxy", "step_proxy"}
    handed = points.name == "select" or bool(proxies)
    assert handed == (run.methods[0].sees_proxy or run.methods[0].blind)


def test_gold_reaches_no_method() -> None:
    run = run_spec(["dpo", "rloo"], ["mean"])
    for cell in cells_of(run):
        optimized = Graph(cell).optimize(None, run.kl_grid_nats)
        assert "gold" not in _roles(optimized)
        assert "pool" not in _roles(optimized)
        expected = (
            {"initial", "labels"}
            if cell.method.name == "dpo"
            else {"initial", *(f"proxy.{member}" for member in range(5))}
        )
        assert _roles(optimized) == expected


def test_a_knob_moves_the_run_and_what_follows_only() -> None:
    (cell,) = cells_of(run_spec())
    graph = Graph(cell)
    one, two = graph.optimize(0.1, ()), graph.optimize(0.2, ())
    assert one.key != two.key
    assert {role: made.key for role, made in one.inputs} == {
        role: made.key for role, made in two.inputs
    }
    assert with_knob(cell.method, None) is cell.method
    assert with_knob(cell.method, 0.3).config["beta"] == 0.3


def test_nodes_of_a_graph_are_made_once() -> None:
    (cell,) = cells_of(run_spec(["rloo"], ["mean"]))
    graph = Graph(cell)
    assert graph.labels is graph.labels and graph.proxy(1) is graph.proxy(1)
    measured = graph.along_step((0.1,))
    asked: dict[str, dict[int, list[str]]] = {}  # by key and object: what it is an input of
    stack = [(measured, "")]
    while stack:
        made, of = stack.pop()
        asked.setdefault(made.key, {}).setdefault(id(made), []).append(of)
        stack.extend((given, made.title) for _, given in made.inputs)
    shared = {"initial", "gold", "pool", "pairs", "labels", "proxy"}
    for made in ancestry([measured]):
        if made.name in shared:
            assert len(asked[made.key]) == 1, (made.title, list(asked[made.key].values()))


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Path]:
    """One method in two places."""
    text = lookup.files("methods")["dpo"].read_text()
    places = tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"
    for place in places:
        place.parent.mkdir()
        place.write_text(text)
    return places


def test_where_a_file_lies_does_not_move_a_key(own: tuple[Path, Path]) -> None:
    keys = []
    for place in own:
        (cell,) = cells_of(run_spec([str(place)]))
        optimized = Graph(cell).optimize(None, (0.1,))
        assert str(place) in optimized.extra_code
        assert optimized.params["method"]["source"] == "mine.py"
        keys.append(optimized.key)
    assert keys[0] == keys[1]
    shipped = Graph(cells_of(run_spec())[0]).optimize(None, (0.1,))
    assert shipped.key != keys[0]  # its name is part of its random numbers


def test_what_a_file_says_moves_a_key(own: tuple[Path, Path]) -> None:
    first, second = own
    second.write_text(second.read_text().replace("return -logsigmoid", "return -2 * logsigmoid"))
    keys = [
        Graph(cells_of(run_spec([str(place)]))[0]).optimize(None, (0.1,)).key
        for place in (first, second)
    ]
    assert keys[0] != keys[1]


def test_sources_lose_their_place_only() -> None:
    assert file_name("/somewhere/else/mine.py") == "mine.py"
    assert file_name("overopt.methods.pairs.dpo") == "overopt.methods.pairs.dpo"
    spec = systems.method("dpo")
    assert without_place(spec) == spec


def test_a_method_and_a_proxy_of_one_file_name_are_refused(own: tuple[Path, Path]) -> None:
    (cell,) = cells_of(run_spec([str(own[0])]))
    other = cell.proxy.model_copy(update={"source": str(own[1])})
    clash = type(cell)(cell.task, cell.gold, cell.method, other, cell.noise, cell.seed)
    with pytest.raises(UserError, match="have the same name; rename one"):
        Graph(clash)


def test_a_knob_that_is_no_setting_is_refused(own: tuple[Path, Path]) -> None:
    own[0].write_text(own[0].read_text().replace('knob("beta"', 'knob("bta"'))
    with pytest.raises(UserError, match=r"Unknown knob 'bta'\. Did you mean beta"):
        systems.method(str(own[0]))


def test_kinds_of_cost_forget_seeds_noises_and_members() -> None:
    run = run_spec(["dpo", "rloo"], ["mean"], ["0", "0.25"], [0, 1])
    wanted = [made for cell in cells_of(run) for made in foreseen(Graph(cell), run)]
    kinds = {(made.name, made.kind) for made in ancestry(wanted)}
    assert {kind for stage, kind in kinds if stage == "proxy"} == {"tiny: proxy"}
    assert {kind for stage, kind in kinds if stage == "optimize"} == {
        "tiny: dpo", "tiny: rloo against mean",
    }  # fmt: skip
    assert {kind for stage, kind in kinds if stage == "measure"} == {
        "tiny: dpo mean", "tiny: rloo mean",
    }  # fmt: skip
    assert len({kind for stage, kind in kinds if stage == "score"}) == 3
