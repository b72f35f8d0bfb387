"""Systems that score steps: their labels, their members, their scores, and whose keys they move."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.reward import open_reward
from overopt.artifacts.scores import aligned_scores
from overopt.artifacts.step_member import load_steps
from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems, toml_files
from overopt.engines.proxy.steps import OpenedSteps
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.execution.contract import silent
from overopt.execution.node import Node
from overopt.models.rewards.reward import load_reward
from overopt.models.rewards.step_scores import score_tokens
from overopt.run.cell import Cell
from overopt.run.graph import Graph
from overopt.spec.noise import NoiseSpec
from overopt.stages.optimize import run_inputs
from overopt.stages.step_labels import flip_steps
from overopt.worlds.contract import build, render
from overopt.worlds.steps import stepwise
from own import STEPPED

from .step_system import OWN, TASK


class Place:
    """A folder with the task and the system, in which nodes are built once."""

    def __init__(self, root: Path) -> None:
        self.root, self.own = root, root / "mine.py"
        self.own.write_text(OWN, encoding="utf-8")
        (root / "sums.toml").write_text(TASK, encoding="utf-8")
        self.task = toml_files.load_task(str(root / "sums.toml"))
        self.world = build(self.task.world)

    def graph(
        self, proxy: str = "", noise: str = "0", task: str = "", method: str = "bon"
    ) -> Graph:
        return Graph(
            Cell(
                toml_files.load_task(task) if task else self.task,
                toml_files.load_gold("rule"),
                systems.method(method),
                systems.proxy(proxy or str(self.own)),
                NoiseSpec.parse(noise),
                0,
            )
        )

    def made(self, node: Node) -> Path:
        out = self.root / node.key
        if not out.exists():
            inputs = {role: self.made(given) for role, given in node.inputs}
            inputs |= {Path(own).name: Path(own) for own in node.extra_code if is_file(own)}
            out.mkdir()
            importlib.import_module(node.stage).run(dict(node.params), inputs, out, silent)
        return out

    def labels(self, graph: Graph) -> Path:
        """The labels of steps that the graph's proxies learn from."""
        return self.made(dict(graph.proxy(0).inputs)["step_labels"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("steps"))


def test_labels_are_what_is_true_of_each_step(place: Place) -> None:
    graph = place.graph()
    folder = place.labels(graph)
    pairs = Table(place.made(graph.pairs) / "pairs.parquet")
    labeled = load_steps(folder, place.world)
    assert labeled.responses.rows() == 2 * len(pairs) == 128
    prompts = place.world.train_prompts.take(np.tile(pairs.integers("prompt_id"), 2))
    assert render(place.world, labeled.prompts) == render(place.world, prompts)
    truth = stepwise(place.world).step_truth(labeled.prompts, labeled.responses)
    assert np.array_equal(labeled.correct_NT, truth.correct_NT)
    assert 0.0 < labeled.correct_NT[labeled.end_NT].mean() < 1.0
    told = read_json(folder / "step_labels.json")
    assert told["realized_flip_rate"] == 0.0
    assert told["steps"] == int(labeled.end_NT.sum())
    assert told["right"] == pytest.approx(labeled.correct_NT.sum() / labeled.end_NT.sum())


def test_noise_flips_steps_of_the_pairs_and_none_of_the_held_out(place: Place) -> None:
    clean, noisy = (place.labels(place.graph(noise=noise)) for noise in ("0", "0.25"))
    first, second = (load_steps(folder, place.world) for folder in (clean, noisy))
    differ = (first.correct_NT != second.correct_NT)[first.end_NT]
    assert differ.sum() == round(0.25 * len(differ))
    assert (clean / "heldout.parquet").read_bytes() == (noisy / "heldout.parquet").read_bytes()


def test_noise_by_hand() -> None:
    right_K = np.ones(1000, dtype=np.bool_)
    rng = np.random.default_rng
    assert flip_steps(right_K, NoiseSpec.parse("0.3"), rng(0)).sum() == 700
    # half of 1,000 steps by a fair coin: 250 wrong, give or take sqrt(500 / 4) = 11
    assert 705 < flip_steps(right_K, NoiseSpec.parse("random:0.5"), rng(0)).sum() < 795
    assert right_K.all()
    with pytest.raises(UserError, match="no noise of the kind bt"):
        flip_steps(right_K, NoiseSpec.parse("bt:1"), rng(0))


def test_a_member_s_score_is_its_reduced_steps_scaled_under_the_initial_policy(
    place: Place,
) -> None:
    graph = place.graph()
    trained, pool = place.made(graph.proxy(0)), place.made(graph.pool)
    scored = place.made(graph.score(0, graph.pool, "the pool"))
    samples = Table(pool / "samples.parquet")
    responses = samples.tokens("response")
    prompts = place.world.heldout_prompts.take(samples.integers("prompt_id"))
    model = load_reward(trained / "model")
    step_NT = score_tokens(model, prompts, responses)
    end_NT = stepwise(place.world).step_ends(responses)
    mean_N = np.array(
        [row[ends].mean() for row, ends in zip(step_NT, end_NT, strict=True)], dtype=np.float64
    )
    scale = read_json(trained / "normalization.json")
    expected_N = (mean_N - scale["mean"]) / scale["sd"]
    found_N = aligned_scores(scored, samples)
    np.testing.assert_allclose(found_N, expected_N, atol=1e-6)
    inputs = {"proxy.0": trained, "mine.py": place.own}
    system = graph.cell.proxy.model_copy(update={"source": "mine.py"}).to_json()
    reward = open_reward(inputs, system, place.world)
    np.testing.assert_array_equal(reward(prompts, responses), found_N)
    heldout = load_preferences(place.made(graph.labels), place.world, "heldout").preferences
    both = [reward(heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)]
    assert np.concatenate(both).mean() == pytest.approx(0.0, abs=1e-6)
    assert np.concatenate(both).std(ddof=1) == pytest.approx(1.0, abs=1e-6)


def test_its_training_is_judged_on_held_out_steps(place: Place) -> None:
    graph = place.graph()
    told = read_json(place.made(graph.proxy(0)) / "training.json")
    assert told["last_loss_nats"] < told["first_loss_nats"]
    heldout = load_steps(place.labels(graph), place.world, "heldout")
    model = load_reward(place.made(graph.proxy(0)) / "model")
    logit_NT = score_tokens(model, heldout.prompts, heldout.responses)
    right_K = ((logit_NT > 0) == heldout.correct_NT)[heldout.end_NT]
    assert told["heldout_step_accuracy"] == pytest.approx(right_K.mean())


def test_it_takes_as_many_optimizer_steps_as_a_proxy_of_the_same_pairs(place: Place) -> None:
    """64 comparisons, 32 to a batch, 2 epochs."""
    steps = [
        read_json(place.made(place.graph(name).proxy(0)) / "training.json")["steps"]
        for name in ("prm", "single")
    ]
    assert steps == [4, 4]


def test_a_rollout_method_optimizes_it(place: Place) -> None:
    graph = place.graph(method="rloo")
    folder = place.made(graph.optimize(None, (0.02,)))
    assert list(folder.rglob("model.safetensors"))


def test_a_method_reads_the_score_of_each_step_as_its_member_gives_it(place: Place) -> None:
    graph = place.graph(method=str(STEPPED))
    node = graph.optimize(None, (0.02,))
    assert list(place.made(node).rglob("model.safetensors"))
    inputs = {role: place.made(given) for role, given in node.inputs}
    inputs["mine.py"] = place.own
    spec = graph.cell.proxy.model_copy(update={"source": "mine.py"})
    params = {**node.params, "system": spec.to_json()}
    given = run_inputs(params, inputs, graph.cell.method, place.world, silent)
    pool = Table(place.made(graph.pool) / "samples.parquet")
    responses = pool.tokens("response")
    prompts = place.world.heldout_prompts.take(pool.integers("prompt_id"))
    assert given.step_rewards is not None and given.reward is not None
    score_NT, end_NT = given.step_rewards(prompts, responses)
    assert np.array_equal(end_NT, stepwise(place.world).step_ends(responses))
    # the system's own reduction of them is the reward
    mean_N = np.where(end_NT, score_NT, 0).sum(1) / end_NT.sum(1)
    scale = read_json(inputs["proxy.0"] / "normalization.json")
    np.testing.assert_allclose(
        given.reward(prompts, responses), (mean_N - scale["mean"]) / scale["sd"], atol=1e-6
    )


def test_a_proxy_without_scores_of_steps_is_refused_before_anything_runs(place: Place) -> None:
    graph = place.graph("single", method=str(STEPPED))
    with pytest.raises(UserError, match="stepped asks for the score of each step, and single scor"):
        graph.optimize(None, (0.02,))


def test_only_systems_of_steps_have_labels_of_steps_in_their_keys(place: Place) -> None:
    graphs = {name: place.graph(name) for name in ("single", "labelsmooth", "")}
    for name, graph in graphs.items():
        made, scored = graph.proxy(0), graph.score(0, graph.pool, "the pool")
        steps = name == ""
        assert ("step_labels" in dict(made.inputs)) == steps
        assert (made.name, scored.name) == (
            ("step_proxy", "step_score") if steps else ("proxy", "score")
        )
        assert ("step_scores" in graph.cell.proxy.to_json()) == steps
    keys = {graph.labels.key for graph in graphs.values()}
    assert len(keys) == 1, "labels of pairs know nothing of labels of steps"


def test_worlds_without_steps_and_noise_of_pairs_are_refused(place: Place) -> None:
    with pytest.raises(UserError, match="mine scores steps, but responses of tabular have none"):
        place.graph(task="tabular").proxy(0)
    with pytest.raises(UserError, match="know no noise heavy:1"):
        place.graph(noise="heavy:1").proxy(0)


WRONG = [
    ('LABELS = ("steps",)\n', "", r'declare it, STEP_SCORES = True and LABELS = \("steps",\)'),
    ("STEP_SCORES = True", "STEP_SCORES = 1", r"declare it, STEP_SCORES = True"),
    ("def reduce(", "def reduces(", r"STEP_SCORES defines reduce\(config, step_NT, mask_NT\), not"),
    ("step_NT, mask_NT):", "step_NT):", "takes 2 arguments"),
    ("def reduce(", "def loss(config, batch):\n    return 0\n\ndef reduce(", "takes no loss of"),
    ("def reduce(", "def combine(config):\n    return 0\n\ndef reduce(", "takes 1 arguments"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG)
def test_a_file_that_declares_wrongly_is_told(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN.replace(old, new), encoding="utf-8")
    assert old in OWN
    with pytest.raises(UserError, match=said):
        systems.proxy(str(path))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("step_NT", r"reduce: ValueError: mine: reduce returns shape \(4, 9\) for 4 responses"),
        ("step_NT.sum(axis=1) / 0", "reduce: FloatingPointError: mine: reduce returns NaN"),
        ("step_NT[9]", r"line \d+: reduce: IndexError"),
    ],
)
def test_a_rehearsal_tries_the_reduction(answer: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    start = OWN.index("    return")
    path.write_text(f"{OWN[:start]}    return {answer}\n", encoding="utf-8")
    with np.errstate(divide="ignore"), pytest.raises(UserError, match=said):
        rehearse(systems.proxy(str(path)))
    path.with_name("good.py").write_text(OWN, encoding="utf-8")
    rehearse(systems.proxy(str(path.with_name("good.py"))))


def test_a_response_without_steps_is_an_error() -> None:
    functions = SimpleNamespace(
        __name__="mine", Config=object, reduce=lambda config, step_NT, mask_NT: step_NT.sum(axis=1)
    )
    opened = OpenedSteps(functions, object())
    end_NT = np.array([[True, False], [False, False]])
    with pytest.raises(ValueError, match="without any step"):
        opened.reduce(np.zeros((2, 2)), end_NT)
    # what stands where no step ends is not shown to the system
    found_N = opened.reduce(np.array([[1.0, 50.0]]), end_NT[:1])
    assert found_N.tolist() == [1.0]
