"""Preference data of tasks with people and of flawed runs: keys, and what does not go together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from overopt.catalog import systems, toml_files
from overopt.errors import UserError
from overopt.execution.node import Node, ancestry
from overopt.run.cell import Cell
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.spec.flaw import FlawSpec
from overopt.spec.labeling import LabelingSpec, UnevenNoiseSpec
from overopt.spec.noise import NoiseSpec

from .specs import run_spec

CLEAN = LabelingSpec(clean=0.25)


def cell(labels: LabelingSpec | None = None, flaw: str = "", proxy: str = "single") -> Cell:
    (plain,) = cells_of(run_spec(methods=["bon"]))
    task = plain.task.model_copy(update={"labels": labels})
    one = replace(plain, task=task, proxy=systems.proxy(proxy))
    return replace(one, flaw=FlawSpec.parse(flaw)) if flaw else one


def test_what_nobody_asks_for_moves_no_key() -> None:
    plain = Graph(cell())
    assert plain.labels.stage == "overopt.stages.labels"
    assert set(plain.labels.params) == {"world", "noise", "preference", "seed"}
    assert "labels" not in cell().task.to_json()


def test_people_and_flaws_have_keys_of_their_own_and_share_what_they_can() -> None:
    graphs = [Graph(cell()), Graph(cell(CLEAN)), Graph(cell(flaw="length:0.5")),
              Graph(cell(flaw="length:1")), Graph(cell(flaw="placebo:1"))]  # fmt: skip
    assert len({graph.labels.key for graph in graphs}) == len(graphs)
    assert len({graph.pairs.key for graph in graphs}) == 1
    assert len({graph.select((0.1,)).key for graph in graphs}) == len(graphs)
    assert graphs[2].cell.place == "noise 0 length:0.5 world 0 seed 0"
    part = Graph(cell(flaw="coverage:0.5"))
    assert part.pairs.key != graphs[0].pairs.key and part.pool.key == graphs[0].pool.key


@pytest.mark.parametrize("proxy", ["composite", "moe", "margin", "hyperclean"])
def test_columns_beside_labels_go_through_the_noise_of_the_labels(proxy: str) -> None:
    """Those that say no more than gold's strength, or the marks, pass none."""

    def columns(labels: LabelingSpec | None) -> Node:
        return dict(Graph(cell(labels, proxy=proxy)).proxy(0).inputs)["columns"]

    people = LabelingSpec(clean=0.25, noise=UnevenNoiseSpec(by="categories", factors=(1.0,) * 5))
    found = columns(people)
    noisy = proxy in ("composite", "moe")
    room = "people" if noisy else "own"
    assert found.stage == f"overopt.stages.{room}.label_columns" and found.name == "label_columns"
    assert ("labeling" in found.params) == ("marked" in dict(found.inputs)) == noisy
    if noisy:
        assert found.params["labeling"] == people.to_json()
        assert dict(found.inputs)["marked"].name == "labels"
        assert "overopt.worlds.tabular.categories" in found.extra_code
    if proxy != "hyperclean":
        plain = columns(None)
        assert plain.stage == "overopt.stages.own.label_columns"
        assert set(plain.params) == {"world", "columns", "noise", "seed"}
        assert set(dict(plain.inputs)) == {"labels", "gold", "pool"}


def test_records_find_labels_by_their_name() -> None:
    graph = Graph(cell(CLEAN))
    names = [made.name for made in ancestry([graph.select((0.1,))])]
    assert names.count("labels") == 1


@pytest.mark.parametrize(
    ("labels", "flaw", "proxy", "said"),
    [
        (CLEAN, "", "online_rm", "learns from other labels too"),
        (None, "length:1", "online_rm", "learns from other labels too"),
        (None, "length:1", "composite", "learns from what gold says beside them"),
    ],
)
def test_what_learns_from_other_labels_is_refused(
    labels: LabelingSpec | None, flaw: str, proxy: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        Graph(cell(labels, flaw, proxy))


def test_a_world_has_to_know_what_is_asked() -> None:
    topics = LabelingSpec(noise=UnevenNoiseSpec(by="topics", factors=(1.0,)))
    with pytest.raises(
        UserError, match="needs topics of prompts, and worlds of kind tabular know none"
    ):
        Graph(cell(topics))
    kinds = LabelingSpec(noise=UnevenNoiseSpec(by="categories", factors=(1.0,)))
    with pytest.raises(UserError, match="no rate that could differ by categories"):
        Graph(replace(cell(kinds), noise=NoiseSpec.parse("bt:1")))
    sums = replace(cell(flaw="praise:1"), task=toml_files.load_task("arithmetic"))
    with pytest.raises(UserError, match="worlds of kind arithmetic know none"):
        Graph(sums)


def test_terms_are_those_of_a_rule() -> None:
    people = toml_files.load_task("reviews-annotators").labels
    other = toml_files.load_gold("transformer")
    with pytest.raises(UserError, match="annotators weigh the terms"):
        Graph(replace(cell(people), gold=other))
    with pytest.raises(UserError, match="hides a term"):
        Graph(replace(cell(flaw="blind-spot:1"), gold=other))
