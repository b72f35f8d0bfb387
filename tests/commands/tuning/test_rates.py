"""The file of chosen rates, and what a run makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.commands.tuning.rates import Choice, Rates, Tried, read_rates, write_rates
from overopt.errors import UserError
from overopt.run.cells import cells_of
from overopt.run.graph import Graph


def rates(**factors: float) -> Rates:
    chosen = {
        name: Choice(factor=factor, by="proxy", tried=(Tried(factor=factor, budgets=1, mean=0.5),))
        for name, factor in factors.items()
    }
    return Rates(task="tabular", world=7, seeds=(7,), factors=(0.5, 1.0), methods=chosen)


def written(folder: Path, **factors: float) -> Path:
    path = folder / "rates.json"
    write_rates(path, rates(**factors))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_rates(written(tmp_path, dpo=0.5), "tabular") == rates(dpo=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["rates.json"]


def test_a_run_trains_at_the_chosen_rate_and_only_its_own_training_has_another_key(
    tmp_path: Path,
) -> None:
    asked = Request(method=["dpo", "bon", "dera"], task="tabular", seeds=1)
    plain = resolve(asked)
    path = written(tmp_path, dpo=0.5)
    tuned = resolve(Request(method=["dpo", "bon", "dera"], task="tabular", seeds=1, rates=path))
    assert [one.rate_factor for one in tuned.methods] == [0.5, 1.0, 0.5]
    assert plain.standard and not tuned.standard
    ours, theirs = Graph(cells_of(tuned)[0]), Graph(cells_of(plain)[0])
    one, other = ours.optimize(None, (1.0,)), theirs.optimize(None, (1.0,))
    rate = tuned.task.pairs.learning_rate
    assert other.params["settings"]["learning_rate"] == rate
    assert one.params["settings"]["learning_rate"] == rate / 2
    assert one.params["method"] == other.params["method"] and one.key != other.key
    assert ours.labels.key == theirs.labels.key


def test_a_method_that_merges_another_s_run_has_that_one_at_its_rate(tmp_path: Path) -> None:
    """The run of dera's member is dpo's own, the tuned one."""
    path = written(tmp_path, dpo=0.5)
    tuned = resolve(Request(method=["dpo", "dera"], task="tabular", seeds=1, rates=path))
    dpo, dera = (Graph(one) for one in cells_of(tuned))
    run = dpo.optimize(None, (1.0,))
    assert run.key == dera.optimize(None, (1.0,)).key
    assert run.params["settings"]["learning_rate"] == tuned.task.pairs.learning_rate / 2
    with pytest.raises(UserError, match="no rate of dpo, whose run dera merges"):
        resolve(Request(method=["dera"], task="tabular", rates=written(tmp_path, ipo=0.5)))


def test_the_same_rate_said_in_the_task_is_the_same_training(tmp_path: Path) -> None:
    path = written(tmp_path, dpo=0.5)
    tuned = resolve(Request(method=["dpo"], task="tabular", seeds=1, rates=path))
    half = f"pairs.learning_rate={tuned.task.pairs.learning_rate / 2}"
    said = resolve(Request(method=["dpo"], task="tabular", seeds=1, settings=[half]))
    keys = {Graph(cells_of(run)[0]).optimize(None, (1.0,)).key for run in (tuned, said)}
    assert len(keys) == 1


def test_a_method_without_a_rate_or_another_task_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, dpo=0.5)
    with pytest.raises(UserError, match="no rate of ipo; give bench tune --method ipo"):
        resolve(Request(method=["dpo", "ipo"], task="tabular", rates=path))
    with pytest.raises(UserError, match="those of tabular, not of reviews"):
        resolve(Request(method=["dpo"], rates=path))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "format"),
        ({"factors": ["x"]}, "factors"),
        ({"other": 1}, "unknown key"),
        ({"methods": {"dpo": {"factor": 3.0, "by": "proxy", "tried": []}}}, "none of those"),
    ],
)
def test_a_damaged_file_is_one_sentence(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    path = tmp_path / "rates.json"
    path.write_text(json.dumps({**rates(dpo=0.5).to_json(), **change}))
    with pytest.raises(UserError, match=told) as caught:
        read_rates(path)
    assert "\n" not in str(caught.value)


def test_choices_of_one_search_are_joined_and_those_of_another_are_not() -> None:
    joined = rates(dpo=0.5, ipo=1.0).joined(rates(dpo=1.0, kto=0.5))
    assert {name: one.factor for name, one in joined.methods.items()} == {
        "dpo": 1.0,
        "ipo": 1.0,
        "kto": 0.5,
    }
    with pytest.raises(ValueError, match="another task, world, seeds or factors"):
        rates(dpo=0.5).joined(rates().model_copy(update={"world": 8}))
