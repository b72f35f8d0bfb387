"""What a reward-side system of its own kind adds to a graph, and that it adds nothing elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hub import folders
from overopt.catalog import systems, toml_files
from overopt.errors import UserError
from overopt.execution.node import ancestry
from overopt.proxies import baklava
from overopt.run.cell import Cell
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.spec.noise import NoiseSpec
from overopt.spec.system import ProxySystemSpec
from own import SHOWN
from systems import path

from .specs import run_spec

OWN_KINDS = [
    "anchored", "averaged", "compared", "fooled", "headed", "judged", "labeled", "paired",
    "repeated", "routed", "weighed",
]  # fmt: skip


def _graph(proxy: str, method: str = "bon") -> Graph:
    (cell,) = cells_of(run_spec([method], [proxy]))
    return Graph(cell)


@pytest.mark.parametrize("name", ["single", "mean", "wco", "uwo", "lse"])
def test_a_system_without_own_names_is_described_as_before_there_were_any(name: str) -> None:
    spec = systems.proxy(name)
    assert set(spec.to_json()) == {"name", "source", "config"}
    assert ProxySystemSpec.model_validate(spec.to_json()) == spec


@pytest.mark.parametrize(
    "name",
    [
        "averaged",
        "headed",
        "labeled",
        "routed",
        "weighed",
        "paired",
        "compared",
        "repeated",
        "judged",
        "anchored",
        "settled",
    ],
)
def test_a_system_is_read_back_from_its_json(name: str) -> None:
    spec = systems.proxy(str(path(name)))
    assert ProxySystemSpec.model_validate(spec.to_json()) == spec


def test_members_are_trained_from_the_policy_and_one_merged_proxy_scores() -> None:
    graph = _graph(str(path("averaged")), "rloo")
    merged = graph.proxy(0)
    members = [made for role, made in merged.inputs if role.startswith("member.")]
    assert len(members) == 2 and len({made.key for made in members}) == 2
    for made in members:
        assert {role for role, _ in made.inputs} == {"labels", "initial"}
        assert "architecture" not in made.params["proxy"]
    optimized = graph.optimize(None, (0.1,))
    assert dict(optimized.inputs)["proxy.0"].key == merged.key
    assert "proxy.1" not in dict(optimized.inputs)
    scored = [made for made in ancestry([graph.along_step((0.1,))]) if made.name == "score"]
    assert {dict(made.inputs)["proxy"].key for made in scored} == {merged.key}


def test_a_system_that_says_its_start_is_not_varied_over_starts() -> None:
    run = run_spec(
        ["bon"], ["single", str(path("averaged"))], starts=["scratch", "policy"], widths=[8, 16]
    )
    found = [
        (cell.proxy.name, cell.task.proxy.start, cell.task.proxy_width) for cell in cells_of(run)
    ]
    assert found == [
        ("single", "scratch", 8), ("single", "scratch", 16), ("single", "policy", 8),
        ("averaged", "policy", 8),
    ]  # fmt: skip


def test_a_head_goes_where_its_scores_are_read_and_nowhere_else() -> None:
    own, plain = _graph(str(path("headed")), "rloo"), _graph("single", "rloo")
    code = "overopt.artifacts.own_proxy"
    for graph in (own, plain):
        score = graph.score(0, graph.pool, "the pool")
        optimized = graph.optimize(None, (0.1,))
        for made in (score, optimized):
            assert (code in made.extra_code) == (graph is own)
        assert ("system" in score.params) == (graph is own)


def test_only_a_member_that_settles_names_what_sets_it() -> None:
    code = "overopt.artifacts.settling"
    assert code in _graph(str(path("settled"))).proxy(0).extra_code
    assert code not in _graph(str(path("labeled"))).proxy(0).extra_code
    assert "initial" not in dict(_graph(str(path("settled"))).proxy(0).inputs)


def test_gold_goes_to_columns_of_labels_only_and_no_method_on_pairs_is_moved() -> None:
    own, plain = _graph(str(path("labeled")), "dpo"), _graph("single", "dpo")
    member = own.proxy(0)
    assert {role for role, _ in member.inputs} == {"labels", "columns"}
    asked = dict(member.inputs)["columns"]
    assert {role for role, _ in asked.inputs} == {"labels", "gold", "pool"}
    assert "overopt.worlds.tabular.categories" in asked.extra_code
    assert own.labels.key == plain.labels.key
    assert own.optimize(None, (0.1,)).key == plain.optimize(None, (0.1,)).key


def test_gold_goes_to_routed_labels_and_a_plain_proxy_learns_from_them() -> None:
    own, plain = _graph(str(path("routed")), "dpo"), _graph("single", "dpo")
    member = own.proxy(0)
    assert member.params == plain.proxy(0).params and member.stage == plain.proxy(0).stage
    made = dict(member.inputs)["labels"]
    assert {role for role, _ in made.inputs} == {"labels", "gold", "pool", "initial"}
    assert dict(made.inputs)["labels"].key == plain.labels.key
    assert own.optimize(None, (0.1,)).key == plain.optimize(None, (0.1,)).key


def test_members_that_are_policies_are_runs_of_their_method_beside_a_reference() -> None:
    graph = _graph(str(path("paired")), "rloo")
    made = [graph.proxy(member) for member in range(2)]
    runs = [dict(one.inputs)["optimize"] for one in made]
    assert len({one.key for one in runs}) == 2
    for member, run in enumerate(runs):
        assert run.params["member"] == member and run.params["kl_grid_nats"] == []
        assert run.params["method"]["config"] == {"beta": 0.3}
        assert dict(run.inputs)["labels"].key == graph.labels.key
        assert {role for role, _ in run.inputs} == {"initial", "labels"}
    reference = dict(made[0].inputs)["reference"]
    examples = graph.cell.task.policy.examples
    assert reference.params["policy"]["examples"] == examples // 2
    assert reference.key != graph.initial.key
    optimized = graph.optimize(None, (0.1,))
    assert dict(optimized.inputs)["proxy.1"].key == made[1].key
    assert "overopt.artifacts.policy_proxy" in optimized.extra_code
    whole = graph.earlier(1.0)
    assert whole is graph.initial


def test_frozen_responses_are_drawn_once_for_all_members_of_a_seed() -> None:
    (cell,) = cells_of(run_spec(["rloo"], [str(path("compared"))]))
    config = {**cell.proxy.config, "members": 2}
    graph = Graph(replace(cell, proxy=cell.proxy.model_copy(update={"config": config})))
    theirs = [dict(graph.proxy(member).inputs)["opponents"] for member in range(2)]
    assert theirs[0].key == theirs[1].key and theirs[0].params["per_prompt"] == 3
    assert {role for role, _ in theirs[0].inputs} == {"initial"}
    assert "overopt.artifacts.pairwise_proxy" in graph.optimize(None, (0.1,)).extra_code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    opponents: int", "    others: int"),
        ("def make_head", "def made"),
        ("def loss", "def vary(config, member): ...\n\ndef lost"),
    ],
)
def test_what_a_comparison_needs_is_told(old: str, new: str, tmp_path: Path) -> None:
    text = path("compared").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match="PAIRWISE is for a head that compares"):
        systems.proxy(str(tmp_path / "mine.py"))


def test_a_model_as_it_is_has_no_earlier_policy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="takes a model as it is"):
        Graph(_hub_cell("paired", tmp_path)).proxy(0)


def refuse(name: str, old: str, new: str, said: str, folder: Path) -> None:
    """A system of the tests with a change in its text is refused in these words."""
    text = path(name).read_text(encoding="utf-8")
    assert old in text
    (folder / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        systems.proxy(str(folder / "mine.py"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('POLICY = "dpo"\n', "", "go together; declare both or neither"),
        ("def score", "def combine", "go together; declare both or neither"),
        ('POLICY = "dpo"', 'POLICY = "rloo"', "is a method of the family rollout"),
        ('POLICY = "dpo"', 'POLICY = "dpoo"', "Unknown method 'dpoo'. Did you mean dpo"),
        ('REFERENCE = "share"', 'REFERENCE = "shares"', "shares is None"),
        ('REFERENCE = "share"', 'REFERENCE = "members"', "members is 2"),
        ('REFERENCE = "share"', 'START = "policy"', "leave out one or the other"),
        ("def score", "def vary(config, member): ...\n\ndef score", "leave out one or the other"),
    ],
)
def test_policies_that_are_declared_wrongly_are_told(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    text = path("paired").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        systems.proxy(str(tmp_path / "mine.py"))


def test_a_run_says_what_its_methods_are_told_of_gold_through_proxies() -> None:
    run = run_spec(["bon", "dpo"], ["single", str(path("labeled"))])
    bon, dpo = run.methods
    assert (run.gold_use(bon), run.gold_use(dpo)) == ("training", "none")
    plain = run_spec(["bon", "soft-bon"], ["single", "mean"])
    assert [plain.gold_use(method) for method in plain.methods] == ["none", "none"]
    steps = run_spec(["bon", "dpo"], ["prm"])
    assert [steps.gold_use(method) for method in steps.methods] == ["training", "none"]


def _hub_cell(system: str, folder: Path) -> Cell:
    task = folders.write_task(folder)
    folders.write_folder(folder / "policy", "gpt2")
    folders.write_table(folder / "rows.parquet")
    return Cell(
        toml_files.load_task(str(task)),
        toml_files.load_gold("rule"),
        systems.method("bon"),
        systems.proxy(str(path(system))),
        NoiseSpec.parse("0"),
        0,
    )


def test_demonstrations_of_data_without_a_reference_column_are_refused(tmp_path: Path) -> None:
    plain = replace(_hub_cell("paired", tmp_path), proxy=systems.proxy("single"))
    cell = replace(plain, method=systems.method(str(SHOWN)))
    node = Graph(cell).optimize(None, (0.1,))
    assert node.params["method"]["needs"] == ["demonstrations"]
    task = tmp_path / "mine.toml"
    text = task.read_text(encoding="utf-8")
    assert 'reference = "chosen"' in text
    task.write_text(text.replace('reference = "chosen"', ""), encoding="utf-8")
    bare = replace(cell, task=toml_files.load_task(str(task)))
    with pytest.raises(UserError, match="shown learns from reference texts, and the data of"):
        Graph(bare).optimize(None, (0.1,))


def test_categories_of_a_world_without_any_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="those of a hub world have none"):
        Graph(_hub_cell("labeled", tmp_path)).proxy(0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('USES_GOLD = "training"\n', "", "labeled by gold without noise; declare"),
        ("    budget: float", "    share: float", "route is for a Config with budget"),
        ("features: PairTags, budget", "budget", r"route is called as route\(config, features"),
    ],
)
def test_a_route_needs_its_budget_and_says_that_it_uses_gold(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    refuse("routed", old, new, said, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('USES_GOLD = "training"\n', "", 'declare USES_GOLD = "training"'),
        ('USES_GOLD = "training"', 'USES_GOLD = "traning"', "Did you mean training"),
        ('"terms")', '"term")', "Unknown LABELS 'term'"),
        ("def loss", "def combine", "LABELS are for a loss"),
    ],
)
def test_labels_that_tell_more_of_gold_are_declared(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    refuse("labeled", old, new, said, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('START = "policy"\n', "", 'declare START = "policy"'),
        ("def make_head", "def made", "define loss and make_head"),
        ("def loss", "def merge", "define loss and make_head"),
        ('INPUTS = ("logps", "reference_logps")', 'INPUTS = ("logp",)', "Did you mean logps"),
        ('INPUTS = ("logps", "reference_logps")', 'INPUTS = "logps"', "is not a tuple"),
        ('START = "policy"\nINPUTS = ("logps", "reference_logps")', 'START = "probed"', "neither"),
    ],
)
def test_parts_that_do_not_go_together_are_told(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    refuse("headed", old, new, said, tmp_path)


def test_an_unknown_start_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import dataclass\n"
        "from overopt.spec.declare import param\n"
        'START = "polcy"\n'
        "@dataclass(frozen=True)\nclass Config:\n"
        '    members: int = param(1, help="reward models")\n'
        "def combine(config, score_MN):\n    return score_MN[0]\n"
    )
    with pytest.raises(UserError, match=r"Unknown start 'polcy'. Did you mean policy"):
        systems.proxy(str(path))


def test_transformed_members_are_those_of_a_plain_system() -> None:
    own, plain = _graph(str(path("anchored")), "rloo"), _graph("single", "rloo")
    made = own.proxy(0)
    roles = dict(made.inputs)
    assert roles["member"].key == plain.proxy(0).key
    assert roles["opponents"].params["per_prompt"] == 3
    assert "overopt.artifacts.anchored_proxy" in own.optimize(None, (0.1,)).extra_code


def test_members_of_other_pretraining_seeds_have_each_an_initial_policy_of_their_own() -> None:
    graph, plain = _graph("pretrain-ensemble", "rloo"), _graph("single", "rloo")
    starts = [dict(graph.proxy(member).inputs)["initial"] for member in range(3)]
    assert starts[0].key == graph.initial.key == plain.initial.key
    assert len({one.key for one in starts}) == 3
    assert [one.params["policy"] for one in starts] == [starts[0].params["policy"]] * 3
    assert dict(graph.proxy(1).inputs)["labels"].key == plain.labels.key
    assert graph.optimize(None, (0.1,)).stage == plain.optimize(None, (0.1,)).stage


def test_members_that_share_no_start_have_no_mean_of_weights(tmp_path: Path) -> None:
    text = path("averaged").read_text(encoding="utf-8")
    start = next(line for line in text.splitlines() if line.startswith("START"))
    (tmp_path / "mine.py").write_text(text.replace(start, 'START = "policies"'), encoding="utf-8")
    with pytest.raises(UserError, match="share no start"):
        systems.proxy(str(tmp_path / "mine.py"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('EARLIER = "earliest"', 'EARLIER = "members"'),
        ('EARLIER = "earliest"', 'EARLIER = "none"'),
        ('START = "probed"', 'START = "policy"'),
    ],
)
def test_earlier_starts_that_are_declared_wrongly_are_told(
    old: str, new: str, tmp_path: Path
) -> None:
    text = Path(baklava.__file__).read_text(encoding="utf-8")
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match="EARLIER names a field of Config that is a share"):
        systems.proxy(str(tmp_path / "mine.py"))


def test_a_policy_that_pairs_are_weighed_by_is_optimized_against_plain_members() -> None:
    own, plain = _graph("ocrm", "dpo"), _graph("single", "dpo")
    roles = dict(own.proxy(0).inputs)
    assert set(roles) == {"labels", "initial", "optimized"}
    run = dict(roles["optimized"].inputs)
    assert run["proxy.0"].key == plain.proxy(0).key
    assert roles["optimized"].params["method"]["name"] == "rloo"
    assert roles["optimized"].params["method"]["config"]["beta"] == 0.05
    closeness = dict(_graph("om-weight").proxy(0).inputs)["optimized"]
    assert closeness.params["method"]["config"]["beta"] == 0.05
    assert own.optimize(None, (0.1,)).key == plain.optimize(None, (0.1,)).key
    weighed = dict(_graph(str(path("weighed"))).proxy(1).inputs)
    assert weighed["optimized"].params["method"]["config"]["beta"] == 0.3


def test_members_learn_from_what_an_adversary_of_plain_ones_has_found() -> None:
    own, plain = _graph("adv-rm", "rloo"), _graph("single", "rloo")
    labels = dict(dict(own.proxy(0).inputs)["labels"].inputs)
    assert set(labels) == {"labels", "gold", "initial", "optimized", "proxy.0", "proxy.1"}
    assert labels["labels"].key == plain.labels.key
    assert labels["proxy.0"].key == plain.proxy(0).key != labels["proxy.1"].key
    adversary = labels["optimized"]
    assert dict(adversary.inputs)["proxy.1"].key == labels["proxy.1"].key
    assert adversary.params["system"]["attacking"] is True
    assert "overopt.engines.proxy.attacks" in adversary.extra_code
    found = own.optimize(None, (0.1,))
    assert "attacking" not in found.params["system"]
    assert "overopt.engines.proxy.attacks" not in found.extra_code
