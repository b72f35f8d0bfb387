"""Exams of a tiny world: a perfect score, a random one and a trained one; averages by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.spec.exam import ExamSpec
from overopt.stages.exams import averages, marks, recall, sets
from overopt.stages.exams.averages import Questions, marks_of, questions
from overopt.stages.exams.reading import read_sets
from overopt.stats.exams.designs import (
    ACCURACY,
    ALL,
    DESIGNS,
    DIVERSITY,
    GAP,
    HELDOUT,
    HOME,
    KEPT,
    MEAN,
    SHIFT,
    SWAPPED,
)
from overopt.worlds.contract import world_of

from ..conftest import POOL_SAMPLES, WORLD

Floats = npt.NDArray[np.float64]
KNOWN = {"world": WORLD.to_json(), "seed": 0}
SINGLE = {**KNOWN, "system": systems.proxy("single").to_json()}


@pytest.fixture(scope="module")
def drawn(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many sets of the pool, so that chance is small."""
    out = tmp_path_factory.mktemp("sets")
    asked = {**KNOWN, "exam": ExamSpec(sets_per_prompt=40).to_json()}
    sets.run(asked, {"pool": artifacts["pool"]}, out, silent)
    return out


def numbers(rows: list[dict[str, Any]]) -> dict[tuple[str, str], float]:
    found = {(row["exam"], row["of"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture
def gold_N(artifacts: dict[str, Path]) -> Floats:
    return Table(artifacts["pool"] / "samples.parquet").floats("gold")


def test_sets_are_of_one_prompt_and_as_designed(drawn: Path, gold_N: Floats) -> None:
    found = read_sets(drawn)
    for design in DESIGNS:
        mine = found[design.name]
        assert mine.row_SR.shape[1] == len(design.chosen) + len(design.rejected)
        assert (mine.row_SR // POOL_SAMPLES == mine.prompt_S[:, None]).all()
        chosen = len(design.chosen)
        lowest = gold_N[mine.row_SR[:, :chosen]].min(axis=1)
        assert (lowest > gold_N[mine.row_SR[:, chosen:]].max(axis=1)).all()
        assert len(mine.row_SR) == 40 * mine.known["prompts"]
    assert abs(found["matched"].known[GAP]) < abs(found["gap"].known[GAP])
    spread = [found[name].known[DIVERSITY] for name in ("alike", "one-model", "diverse")]
    assert spread == sorted(spread)


def test_the_same_exam_is_drawn_again(
    artifacts: dict[str, Path], drawn: Path, tmp_path: Path
) -> None:
    asked = {**KNOWN, "exam": ExamSpec(sets_per_prompt=40).to_json()}
    sets.run(asked, {"pool": artifacts["pool"]}, tmp_path, silent)
    for name in ("sets.parquet", "sets.json"):
        assert (tmp_path / name).read_bytes() == (drawn / name).read_bytes()


def test_a_perfect_score_passes_and_a_random_one_guesses(drawn: Path, gold_N: Floats) -> None:
    found = read_sets(drawn)
    perfect = numbers(marks.grade(found, gold_N, gold_N))
    wrong = numbers(marks.grade(found, -gold_N, gold_N))
    accuracies = [at for at in perfect if at[1] in (ALL, MEAN, ACCURACY)]
    assert len(accuracies) == 2 * len(DESIGNS) + 2
    assert all(perfect[at] == 1.0 and wrong[at] == 0.0 for at in accuracies)
    constant = numbers(marks.grade(found, np.zeros_like(gold_N), gold_N))
    assert all(constant[at] == 0.5 for at in accuracies)
    several = [
        numbers(marks.grade(found, np.random.default_rng(seed).random(len(gold_N)), gold_N))
        for seed in range(60)
    ]
    for at in accuracies:
        if at[1] != ALL or at[0] in ("gap", "matched", "one-one"):
            assert np.mean([one[at] for one in several]) == pytest.approx(0.5, abs=0.06), at
    four = np.mean([one["four-four", ALL] for one in several])
    assert four == pytest.approx(1 / 70, abs=0.02), "all four win in 4! 4! of 8! orders"


def test_marks_of_a_proxy_are_those_of_its_scores(
    artifacts: dict[str, Path], drawn: Path, tmp_path: Path, gold_N: Floats
) -> None:
    inputs = {"sets": drawn, **{role: artifacts[role] for role in ("pool", "score.pool.0")}}
    marks.run(SINGLE, inputs, tmp_path, silent)
    score_N = Table(artifacts["score.pool.0"] / "scores.parquet").floats("score")
    assert read_json(tmp_path / "marks.json")["marks"] == marks.grade(
        read_sets(drawn), score_N, gold_N
    )


def test_labels_that_were_swapped_are_told_apart(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    inputs = {"labels": artifacts["labels"], "proxy.0": artifacts["proxy"]}
    recall.run(SINGLE, inputs, tmp_path, silent)
    found = numbers(read_json(tmp_path / "marks.json")["marks"])
    assert set(found) == {(KEPT, ACCURACY), (HELDOUT, ACCURACY)}, "no label was swapped"
    trained = read_json(artifacts["proxy"] / "training.json")
    assert found[HELDOUT, ACCURACY] == pytest.approx(trained["heldout_accuracy"])


def asked_of(artifacts: dict[str, Path], drawn: Path) -> Questions:
    world = world_of(KNOWN)
    labeled = load_preferences(artifacts["labels"], world)
    swapped = np.arange(len(labeled.agrees_P)) % 4 == 0
    pool = Table(artifacts["pool"] / "samples.parquet")
    return questions(world, pool, read_sets(drawn), labeled._replace(agrees_P=~swapped))


def test_of_linear_models_averaged_weights_are_averaged_predictions(
    artifacts: dict[str, Path], drawn: Path
) -> None:
    asked = asked_of(artifacts, drawn)
    reward_MA = np.random.default_rng(0).normal(size=(5, asked.responses.rows()))
    rows = marks_of(asked, reward_MA, lambda share_M: share_M @ reward_MA, np.random.default_rng(1))
    found = numbers(rows)
    for exam in (HOME, SHIFT, KEPT, SWAPPED):
        for of in ("", " at 0.25", " at 0.5", " at 0.75"):
            assert found[exam, f"weights{of}"] == found[exam, f"predictions{of}"]
    alone = [asked.grade(reward_A)[SHIFT].value for reward_A in reward_MA]
    assert found[SHIFT, "members"] == pytest.approx(np.mean(alone))
    # 0 with 1 and 2 with 3; the fifth has nobody
    assert found[SHIFT, "members at 0.25"] == pytest.approx(
        np.mean([0.75 * alone[0] + 0.25 * alone[1], 0.75 * alone[2] + 0.25 * alone[3]])
    )


def test_the_best_are_averaged_first(artifacts: dict[str, Path], drawn: Path) -> None:
    """Members that know ever less of gold, and whose errors have nothing in common."""
    asked = asked_of(artifacts, drawn)
    place_SR, gold_SR = asked.lineups[SHIFT]
    gold_A = np.zeros(asked.responses.rows())
    gold_A[place_SR] = gold_SR
    noise_MA = np.random.default_rng(0).normal(size=(5, len(gold_A))) * gold_A.std()
    reward_MA = gold_A + noise_MA * np.array([2.0, 0.2, 8.0, 0.5, 1.0])[:, None]
    rows = marks_of(asked, reward_MA, lambda share_M: share_M @ reward_MA, np.random.default_rng(1))
    found = numbers(rows)
    assert found[SHIFT, "best first"] > found[SHIFT, "random order"] > found[SHIFT, "worst first"]


def test_halves_of_the_prompts_rank_and_test(artifacts: dict[str, Path], drawn: Path) -> None:
    asked = asked_of(artifacts, drawn)
    ranked, tested = (asked.lineups[name][0] for name in (averages.RANKED, averages.TESTED))
    assert len(ranked) + len(tested) == len(asked.lineups[SHIFT][0])
    prompts = read_sets(drawn)[SHIFT].prompt_S
    assert len(ranked) == (prompts % 2 == 0).sum()


def test_equal_members_average_to_themselves(
    artifacts: dict[str, Path], drawn: Path, tmp_path: Path
) -> None:
    inputs = {"sets": drawn, "pool": artifacts["pool"], "labels": artifacts["labels"]}
    members = {f"member.{number}": artifacts["proxy"] for number in range(3)}
    averages.run({**KNOWN, "members": 3}, {**inputs, **members}, tmp_path, silent)
    found = numbers(read_json(tmp_path / "marks.json")["marks"])
    for exam in (HOME, SHIFT, KEPT):
        assert found[exam, "weights at 0.25"] == pytest.approx(found[exam, "members"], abs=0.02)
        assert found[exam, "weights"] == pytest.approx(found[exam, "members"], abs=0.02)
    assert found[SHIFT, "best first"] == pytest.approx(found[SHIFT, "worst first"], abs=0.02)


def test_designs_without_sets_have_no_mark() -> None:
    assert marks.grade({}, np.zeros(3), np.zeros(3)) == []
