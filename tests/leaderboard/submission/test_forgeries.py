"""Each scripted forgery is caught where it is said to be, and honest entries are not.

A few trials of each run by default; the slow test counts: ``FORGERY_TRIALS`` trials of each kind.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.leaderboard.submission.checking import check_submission
from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.verdict import Asked
from overopt.leaderboard.tiers.copies import Prints, excess, tally

from .folders import EACH, Folder, made, make_folder, reweighted, rows_of, spec_of
from .forgeries import FORGERIES, Forgery, Size, changed, picked, stretched
from .honest import Entry

TRIALS = int(os.environ.get("FORGERY_TRIALS", "200"))
SEVERAL = pytest.mark.parametrize("forgery", FORGERIES, ids=lambda one: one.name)


@SEVERAL
def test_a_forgery_is_caught_and_an_honest_entry_is_not(forgery: Forgery) -> None:
    assert forgery.trial(np.random.default_rng(1), True)
    assert not forgery.trial(np.random.default_rng(1), False)


def test_a_small_entry_is_judged_by_the_same_tests() -> None:
    """One world and one seed: what is far off is seen there as well, what is honest is left."""
    small = Size(worlds=1, seeds=1)
    for trial in (picked(1.0, small), changed(stretched(0.5), small)):
        assert trial(np.random.default_rng(0), True)
        assert not any(trial(np.random.default_rng(seed), False) for seed in range(5))


@pytest.mark.slow
@SEVERAL
def test_power_and_false_alarms(forgery: Forgery, capsys: pytest.CaptureFixture[str]) -> None:
    caught, wrong = _count(forgery, True), _false_alarms(forgery.honest)
    with capsys.disabled():
        print(
            f"\n{forgery.tier} {forgery.check}: {forgery.name}: caught {caught}, false alarms "
            f"{wrong} of {TRIALS}"
        )
    assert caught >= 0.95 * TRIALS
    assert wrong <= max(0.01 * TRIALS, 2)


def _count(forgery: Forgery, forged: bool) -> int:
    return sum(
        forgery.trial(np.random.default_rng([trial, int(forged)]), forged)
        for trial in range(TRIALS)
    )


@cache
def _false_alarms(honest: str) -> int:
    """Of honest entries of one kind, which several forgeries start from."""
    return _count(next(one for one in FORGERIES if one.honest == honest), False)


def failing(folder: Path, *against: Path) -> set[str]:
    """Names of the checks of T0 that a folder fails."""
    verdict = check_submission(Asked(folder, against), ("t0",))
    return {one.check for one in verdict.findings if one.outcome == "fail"}


@pytest.fixture(scope="module")
def entries() -> tuple[Entry, Entry]:
    return made(worlds=1, seeds=2)


def written(folder: Path, own: Entry, control: Entry | None, **changes: Any) -> Path:
    """A submission of these runs; ``changes`` replace what the method's run says."""
    making = Folder()
    making.add_run("method", own, spec_of("dpo", 1, 2))
    making.document["runs"][0] |= changes
    if control is not None:
        making.add_run("control", control, spec_of("bon", 1, 2))
    return making.write(folder)


def test_an_honest_submission_passes(tmp_path: Path, entries: tuple[Entry, Entry]) -> None:
    assert failing(written(tmp_path, *entries)) == set()


def test_a_submission_without_its_control(tmp_path: Path, entries: tuple[Entry, Entry]) -> None:
    assert failing(written(tmp_path, entries[0], None)) == {"control"}


def test_seeds_that_were_left_out(tmp_path: Path, entries: tuple[Entry, Entry]) -> None:
    """Of three seeds the second is gone, and everything else fits."""
    own, control = entries
    cells = [own.cells[0], own.cells[1].model_copy(update={"seed": 2})]
    making = Folder()
    for role, entry in (("method", own), ("control", control)):
        spec = spec_of("dpo" if role == "method" else "bon", 1, 2)
        spec = spec.model_copy(update={"seeds": (0, 2)})
        making.add_run(role, Entry(cells, entry.samples, entry.estimators), spec)
    assert failing(making.write(tmp_path)) == {"seeds"}


def test_a_seed_that_is_another_one_again(tmp_path: Path, entries: tuple[Entry, Entry]) -> None:
    own, control = entries
    first = own.samples[0]
    noise = 0.005 * np.random.default_rng(0).normal(size=len(first.policy_logp))
    again = first._replace(policy_logp=first.policy_logp + noise)
    cells = [own.cells[0], own.cells[0].model_copy(update={"seed": 1})]
    forged = Entry(cells, [first, again], own.estimators)
    assert failing(written(tmp_path, forged, control)) == {"seeds_differ"}


def test_a_copied_entry_under_another_name(tmp_path: Path, entries: tuple[Entry, Entry]) -> None:
    own, control = entries
    original = written(tmp_path / "a", own, control)
    rng = np.random.default_rng(0)
    copied = [
        one._replace(policy_logp=one.policy_logp + 0.005 * rng.normal(size=len(one.policy_logp)))
        for one in own.samples
    ]
    making = Folder()
    making.document |= {"entry": "other", "method": {"kind": "shipped", "name": "ipo"}}
    making.add_run("method", Entry(own.cells, copied, own.estimators), spec_of("ipo", 1, 2))
    making.add_run("control", control, spec_of("bon", 1, 2))
    copy = making.write(tmp_path / "b")
    assert failing(copy, original) == {"copy"}
    assert failing(original, tmp_path) == {"copy"}  # either of the two
    again = written(tmp_path / "c", own, control)
    verdict = check_submission(Asked(again, [original]), ("t0",))
    assert [one.outcome for one in verdict.findings if one.check == "copy"] == ["note"]


def test_a_copy_in_another_order(tmp_path: Path, entries: tuple[Entry, Entry]) -> None:
    """Samples of each prompt are dealt into other slots, each with all its numbers."""
    own, control = entries
    original = written(tmp_path / "a", own, control)
    shuffled = [in_other_slots(one, np.random.default_rng(0)) for one in own.samples]
    making = Folder()
    making.document |= {"entry": "other", "method": {"kind": "shipped", "name": "ipo"}}
    making.add_run("method", Entry(own.cells, shuffled, own.estimators), spec_of("ipo", 1, 2))
    making.add_run("control", control, spec_of("bon", 1, 2))
    assert failing(making.write(tmp_path / "b"), original) == {"copy"}


def in_other_slots(samples: Samples, rng: np.random.Generator) -> Samples:
    """The same samples of every prompt in another order."""
    row_R = rng.permuted(np.arange(len(samples.point)).reshape(-1, EACH), axis=1).ravel()
    columns = ("reference_logp", "gold", "proxy", "policy_logp", "kl_rb", "entropy")
    moved = {name: getattr(samples, name)[row_R] for name in columns}
    return samples._replace(responses=samples.responses.take(row_R), **moved)


def test_independent_draws_of_one_policy_are_no_copy() -> None:
    """Where responses are few, two samples of one policy have many in common."""
    rng = np.random.default_rng(5)
    for words in (1, 3, 40):
        pages = [np.sort(rng.integers(0, words, size=(16, 64)), axis=1) for _ in range(2)]
        one, other = (Prints((16, 64), (tally(page, np.zeros(1024)),)) for page in pages)
        assert abs(excess(one, other)) < 0.2
        assert excess(one, one) == (0.0 if words == 1 else 1.0)


def test_a_control_counts_in_its_own_task(tmp_path: Path, entries: tuple[Entry, Entry]) -> None:
    own, control = entries
    spec = spec_of("dpo", 1, 2)
    elsewhere = spec.model_copy(update={"task": spec.task.model_copy(update={"name": "reviews"})})
    making = Folder()
    making.add_run("method", own, spec)
    making.add_run("control", control, spec_of("bon", 1, 2))
    making.add_run("method", own, elsewhere)
    verdict = check_submission(Asked(making.write(tmp_path)), ("t0",))
    (told,) = [one.words for one in verdict.findings if one.check == "control"]
    assert "lacks world 0 seed 0 of reviews" in told
    assert "control" in {one.check for one in verdict.findings if one.outcome == "fail"}


@pytest.mark.parametrize(("factor", "found"), [(0.5, set()), (1.37, {"rates"})])
def test_a_rate_is_called_tuned_that_the_search_never_tries(
    factor: float, found: set[str], tmp_path: Path, entries: tuple[Entry, Entry]
) -> None:
    own, control = entries
    spec = spec_of("dpo", 1, 2)
    method = spec.methods[0].model_copy(update={"rate_factor": factor})
    spec = spec.model_copy(update={"methods": (method,), "tuned": True})
    making = Folder()
    making.add_run("method", own, spec)
    making.add_run("control", control, spec_of("bon", 1, 2))
    assert failing(making.write(tmp_path)) == found


def test_budgets_that_were_left_out_or_not_met(
    tmp_path: Path, entries: tuple[Entry, Entry]
) -> None:
    own, control = entries
    spec = spec_of("dpo", 1, 2)
    rows = rows_of(own, spec)
    unreached = [row for row in rows[0] if row["status"] == "unreached"]
    assert unreached
    for name, cell in (
        ("left out", [row for row in rows[0] if row is not unreached[0]]),
        (
            "not met",
            [
                {**row, "kl_target_nats": unreached[0]["kl_target_nats"]}
                if row is rows[0][1] and row.get("kl_target_nats") is None
                else row
                for row in rows[0]
                if row is not unreached[0]
            ],
        ),
    ):
        making = Folder()
        making.add_run("method", own, spec, [cell, *rows[1:]])
        making.add_run("control", control, spec_of("bon", 1, 2))
        assert failing(making.write(tmp_path / name)) == {"rows"}


def test_an_easier_task_and_an_altered_specification(
    tmp_path: Path, entries: tuple[Entry, Entry]
) -> None:
    own, control = entries
    spec = spec_of("dpo", 1, 2)
    more = spec.task.proxy.model_copy(update={"calibration_samples": 9})
    easier = spec.model_copy(update={"task": spec.task.model_copy(update={"proxy": more})})
    making = Folder()
    making.add_run("method", own, easier)
    making.add_run("control", control, spec_of("bon", 1, 2))
    assert failing(making.write(tmp_path / "task")) == {"task"}
    assert failing(written(tmp_path / "hash", own, control, spec_sha256="0" * 64)) == {
        "specification"
    }


def test_points_that_were_altered_in_the_table(
    tmp_path: Path, entries: tuple[Entry, Entry]
) -> None:
    own, control = entries
    spec = spec_of("dpo", 1, 2)
    for name, by in (("gold_mean", 0.001), ("kl_nats", -0.001), ("proxy_se", 0.001)):
        rows = rows_of(own, spec)
        rows[1][2][name] += by
        making = Folder()
        making.add_run("method", own, spec, rows)
        making.add_run("control", control, spec_of("bon", 1, 2))
        assert failing(making.write(tmp_path / name)) == {"arithmetic"}


def test_samples_of_fewer_prompts(tmp_path: Path) -> None:
    folder = make_folder(worlds=1, seeds=1)
    folder.document["runs"][0]["cells"][0]["seed"] = 7
    assert "cells" in failing(folder.write(tmp_path))


@pytest.mark.parametrize("name", ["pool", "smc", "exactly", "definition"])
def test_kl_is_halved_and_called_by_another_estimator(
    name: str, tmp_path: Path, entries: tuple[Entry, Entry]
) -> None:
    """What a point is checked by follows from its method, not from what it says of itself."""
    own, control = entries
    halved = [one._replace(prompt_kl_KB=one.prompt_kl_KB / 2) for one in own.samples]
    forged = Entry(own.cells, halved, ["definition"] + [name] * (len(own.estimators) - 1))
    assert failing(written(tmp_path, forged, control)) == {"rows"}


def test_gold_is_raised_and_called_of_no_pool(tmp_path: Path, entries: tuple[Entry, Entry]) -> None:
    own, control = entries
    raised = [one._replace(prompt_gold_KB=one.prompt_gold_KB + 1) for one in control.samples]
    for name in ("smc", "anything", "rb"):
        names = ["definition"] + [name] * (len(control.estimators) - 1)
        folder = written(tmp_path / name, own, Entry(control.cells, raised, names))
        assert failing(folder) == {"rows"}


def test_log_probabilities_are_there_where_the_method_has_them(
    tmp_path: Path, entries: tuple[Entry, Entry]
) -> None:
    own, control = entries
    without = Entry(own.cells, reweighted(own).samples, own.estimators)
    assert failing(written(tmp_path / "without", without, control)) == {"samples"}
    with_them = Entry(own.cells, own.samples, control.estimators)
    assert failing(written(tmp_path / "with", own, with_them)) == {"samples"}
